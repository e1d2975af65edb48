//! The two ways in which a layer covers a handler.

/// Which part of the layer covers the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Marked,
    AllRoutes,
}

/// Makes one test of a function and mode, in a module for each mode.
#[macro_export]
macro_rules! in_both_modes {
    ($($name:ident)*) => {
        mod marked {
            $(#[test] fn $name() { super::$name($crate::app::Mode::Marked); })*
        }
        mod all_routes {
            $(#[test] fn $name() { super::$name($crate::app::Mode::AllRoutes); })*
        }
    };
}
