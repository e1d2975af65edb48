//! The layer's behaviour over HTTP, through the public interface.

mod smoke;
