pub(crate) mod deadline;
pub(crate) mod held;
pub(crate) mod lease;
pub(crate) mod quota;
pub(crate) mod renewals;
pub(crate) mod retries;
pub(crate) mod sightings;
