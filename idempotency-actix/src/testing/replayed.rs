//! What a test asserts of an answer. It knows the mark of a replay, and no answer's type.

/// Asserts that an answer is a replay: that it has `Idempotent-Replayed: true`.
///
/// It takes whatever has a status and headers by name: a `ServiceResponse` of `actix_web::test`, an `HttpResponse`, or
/// the answer that a client got over the network.
///
/// # Panics
///
/// With the answer's status, where it is none.
///
/// # Examples
///
/// ```
/// use actix_web::HttpResponse;
/// use idempotency_actix::testing::assert_replayed;
///
/// let response = HttpResponse::Created().insert_header(("idempotent-replayed", "true")).finish();
/// assert_replayed!(response);
/// ```
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
macro_rules! assert_replayed {
    ($response:expr $(,)?) => {
        match &$response {
            response => {
                let mark = response.headers().get("idempotent-replayed");
                assert!(
                    mark.is_some_and(|mark| mark.as_bytes() == b"true"),
                    "expected a replay, got {} without `Idempotent-Replayed: true`",
                    response.status(),
                );
            }
        }
    };
}
