//! Nothing: the package is its suite.
