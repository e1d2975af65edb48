use std::fmt;

/// The median of some numbers, with the least and the greatest.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The number in the middle.
    pub median: f64,
    /// The least one.
    pub min: f64,
    /// The greatest one.
    pub max: f64,
}

impl Spread {
    /// The spread of these numbers; of none it is zero.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or_default();
        Self {
            median: at(sorted.len() / 2),
            min: at(0),
            max: at(sorted.len().saturating_sub(1)),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = self;
        write!(f, "{median:.2} ({min:.2} to {max:.2})")
    }
}
