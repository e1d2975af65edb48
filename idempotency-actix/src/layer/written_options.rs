//! Options from a file or the environment, given to the builder. How they are written is not known here.

use super::builder::IdempotencyBuilder;
use crate::options::LayerOptions;

impl IdempotencyBuilder {
    /// Sets all options that were read from a file or the environment.
    ///
    /// What is set before is overridden where they have it, and what is set after overrides them. So the program sets its
    /// defaults first, and last what nobody may change.
    pub fn options(mut self, options: LayerOptions) -> Self {
        macro_rules! set {
            ($($option:ident),* $(,)?) => {$(
                if let Some(value) = options.$option {
                    self = self.$option(value);
                }
            )*};
        }
        macro_rules! set_texts {
            ($($option:ident),* $(,)?) => {$(
                if let Some(text) = options.$option {
                    self = self.$option(&text);
                }
            )*};
        }
        macro_rules! set_measures {
            ($($option:ident),* $(,)?) => {$(
                if let Some(measure) = options.$option {
                    self = self.$option(measure.0);
                }
            )*};
        }
        set![
            required,
            strict_keys,
            key_format,
            fingerprint,
            vary,
            max_waiters,
            max_waiters_per_key,
            max_in_flight,
            transaction,
            transaction_runs,
            on_unknown,
            on_store_failure,
            on_drain,
            record,
            drop_headers,
            keep_headers,
            keep_cookies,
        ];
        set_texts![key_header, first_sent_header, window_header, problem_base];
        set_measures![ttl, lease, max_run, store_timeout, max_key_age, wait];
        set_measures![max_body, max_response, stream_budget];
        if let Some(statuses) = options.release_on {
            self = self.release_on(statuses.into_iter().flat_map(|them| them.codes()));
        }
        if let Some(covers_all) = options.all_routes {
            self.all_routes = covers_all;
        }
        if let Some(methods) = options.methods {
            self = self.methods(methods.into_iter().map(|method| method.0));
        }
        self
    }
}
