//! What a support tool may do with the record of one operation: inspect, resolve, forget.

use std::fmt;

use tokio::time::sleep_until;

use super::idempotency::Idempotency;
use crate::answer::capture_whole;
use crate::claim::guarded;
use crate::options::Recovery;
use crate::store::{
    AttemptId, Cursor, Page, Record, RecordId, Resolved, State, StoreError, StoreErrorKind, Verdict,
};

/// The most outcomes that a page is asked for.
const MAX_PAGE: usize = 1_000;

/// For support tools. Every call is logged, with the record's short hash and never its key.
///
/// An operator acts on an attempt that was looked at: whatever happened since then refuses the action.
impl Idempotency {
    /// Looks at the record of one operation, which [`RecordId::of`] names by caller, method, path and key.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or has a value that cannot be read
    /// ([`StoreErrorKind::Unreadable`]): that one can only be [forgotten](Self::forget), as
    /// [`AttemptId::UNREADABLE`].
    ///
    /// # Examples
    ///
    /// The account is a number here, as the scope returns it: its text would be another caller.
    ///
    /// ```
    /// use actix_web::http::Method;
    /// use actix_web::{HttpResponse, Responder, web};
    /// use idempotency_actix::store::RecordId;
    /// use idempotency_actix::{Caller, Idempotency};
    ///
    /// /// `GET /support/charges/{account}/{key}`, for those who may see everybody's.
    /// async fn show(
    ///     path: web::Path<(u64, String)>,
    ///     idempotency: web::Data<Idempotency>,
    /// ) -> impl Responder {
    ///     let (account, key) = path.into_inner();
    ///     let id = RecordId::of(&Caller::principal(account), &Method::POST, "/charges", &key);
    ///     match idempotency.inspect(&id).await {
    ///         Ok(Some(record)) => HttpResponse::Ok().body(record.attempt.to_string()),
    ///         Ok(None) => HttpResponse::NotFound().finish(),
    ///         Err(error) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    ///     }
    /// }
    /// ```
    pub async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let record = self.look(id).await;
        audit("inspect", id, None, &record.as_ref().map(Option::is_some));
        record
    }

    /// Lists operations whose outcome is unknown: their process died in mid-run, or lost its store for longer than a
    /// lease. About `limit` of them, the oldest first where the store can, from behind the cursor of the page before.
    ///
    /// A page of a store that scans may be short, or empty, and still be followed by another; the last one has no
    /// [`next`](Page::next). What a claim tells of an operation is its [description](crate::store::Description).
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or is one that cannot list ([`StoreErrorKind::Unsupported`]).
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn ring(idempotency: idempotency_actix::Idempotency) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = idempotency.unknown_outcomes(None, 50).await?;
    /// for outcome in &page.outcomes {
    ///     let (method, route) = (outcome.description.method(), outcome.description.route());
    ///     println!("{} {method} {}", outcome.id, route.unwrap_or("no route"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn unknown_outcomes(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let timeout = self.0.options.store_timeout();
        let limit = limit.clamp(1, MAX_PAGE);
        let page = guarded(timeout, || self.0.claims.store.unknown(after, limit)).await?;
        for outcome in &page.outcomes {
            let sightings = &self.0.claims.sightings;
            sightings.ripens(&outcome.id, &outcome.attempt, outcome.lease / 2);
        }
        Ok(page)
    }

    /// Decides about an unknown outcome: from now on it is the answer given, or it did not happen and the
    /// next retry runs. [`Recovery::StillUnknown`] decides nothing, and is refused.
    ///
    /// The call takes until the attempt has shown no sign of life for half a lease, counted from the
    /// first look at it by this process. The answer is kept for the layer's `ttl`.
    ///
    /// # Errors
    ///
    /// The store cannot be asked; the verdict may have been written then.
    pub async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        finding: Recovery,
    ) -> Result<Resolved, StoreError> {
        let options = &self.0.options;
        let verdict = match finding {
            Recovery::Completed(mut response) => {
                let finished = capture_whole(&mut response, options).await;
                Verdict::Finished(finished, options.kept_for())
            }
            Recovery::NotExecuted => Verdict::NotExecuted,
            Recovery::StillUnknown => {
                let refused = Ok(Resolved::Refused);
                audit("resolve", id, Some(seen), &refused);
                return refused;
            }
        };
        self.decide("resolve", id, seen, &verdict).await
    }

    /// Makes a finished record or an unknown one absent, so that the next request with its key **runs
    /// again**. Refused while the operation is in flight.
    ///
    /// A value that cannot be read is forgotten as [`AttemptId::UNREADABLE`]. For an unknown outcome the
    /// call takes as long as [`resolve`](Self::resolve) does.
    ///
    /// # Errors
    ///
    /// The store cannot be asked; the record may be forgotten then.
    pub async fn forget(&self, id: &RecordId, seen: &AttemptId) -> Result<Resolved, StoreError> {
        self.decide("forget", id, seen, &Verdict::Forget).await
    }

    async fn decide(
        &self,
        action: &'static str,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let resolved = self.decide_when_ripe(id, seen, verdict).await;
        audit(action, id, Some(seen), &resolved);
        if let Ok(Resolved::Done) = resolved {
            self.0.claims.waiters.wake(id);
        }
        resolved
    }

    async fn decide_when_ripe(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        match self.look(id).await {
            Ok(Some(record)) if record.attempt == *seen => {
                if let State::Unknown { lease } = record.state
                    && let Some(ripe) = self.0.claims.sightings.ripens(id, seen, lease / 2)
                {
                    sleep_until(ripe.into()).await;
                }
            }
            Ok(_) => return Ok(Resolved::Refused),
            Err(error) if error.kind() == StoreErrorKind::Unreadable => {}
            Err(error) => return Err(error),
        }
        let timeout = self.0.options.store_timeout();
        guarded(timeout, || self.0.claims.store.resolve(id, seen, verdict)).await
    }

    /// The record; the time of an unknown one counts from the first look.
    async fn look(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let timeout = self.0.options.store_timeout();
        let record = guarded(timeout, || self.0.claims.store.inspect(id)).await?;
        if let Some(Record {
            state: State::Unknown { lease },
            attempt,
            ..
        }) = &record
        {
            self.0.claims.sightings.ripens(id, attempt, *lease / 2);
        }
        Ok(record)
    }
}

fn audit(
    action: &'static str,
    record: &RecordId,
    attempt: Option<&AttemptId>,
    result: &dyn fmt::Debug,
) {
    tracing::info!(
        action,
        ?record,
        ?attempt,
        ?result,
        "an operator acted on a record"
    );
}
