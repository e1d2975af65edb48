//! Who may run in a transaction: it is opened when the claim is asked for. What is run in it is not known here.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{HttpRequest, HttpResponse};

use super::admission::{Admitted, Look, admit_by, found, look_only};
use super::bar::Bar;
use super::context::Run;
use super::open::{Named, Open};
use super::operation::Operation;
use super::turn::Turn;
use crate::answer::{Problem, reject};
use crate::claim::{Grant, Lease, Moment, guarded};
use crate::options::Options;
use crate::store::{Filled, Slot};
use crate::telemetry::{Chain, Incident, incident};

/// Asks for the claim by opening its transaction, until it is granted or there is an answer instead.
pub(crate) async fn admit_open(
    operation: &Operation,
    slot: &Rc<dyn Slot>,
    request: &HttpRequest,
    payload: &mut Payload,
    gives_way: impl FnMut(),
) -> Admitted<Open> {
    let ask = async || open(operation, slot, request).await;
    admit_by(operation, payload, gives_way, ask).await
}

async fn open(operation: &Operation, slot: &Rc<dyn Slot>, request: &HttpRequest) -> Turn<Open> {
    let _counted = operation.claims.activity.run();
    if let Some(bar) = Bar::to(operation) {
        return look_only(operation, request, bar).await;
    }
    let asked = Moment::now();
    let claim = operation.claim(asked);
    let timeout = operation.options.store_timeout();
    let options = operation.options.transaction_options();
    let call = || slot.open(&operation.id, &claim, &options);
    let record = match guarded(timeout, call).await {
        Ok(Filled::Claimed { generation }) => {
            let Some(seat) = operation.seat() else {
                slot.close();
                return Turn::over_quota(operation);
            };
            let claim = claim.with_generation(generation);
            let lease = Arc::new(Lease::new(
                operation.id,
                claim,
                seat,
                asked,
                Grant::ByStore,
                operation.options.max_run(),
            ));
            operation.context.begin(Run {
                generation,
                lease: Arc::clone(&lease),
                since: asked.instant(),
            });
            return Turn::Run(Open {
                slot: Rc::clone(slot),
                options: Rc::clone(&operation.options),
                operation: Some(Named {
                    claims: Rc::clone(&operation.claims),
                    context: Arc::clone(&operation.context),
                    _counted: operation.claims.activity.transact(Arc::clone(&lease)),
                    lease,
                }),
            });
        }
        Ok(Filled::Found(record)) => record,
        Ok(Filled::Busy) => return Turn::busy(operation, None),
        Err(error) => return Turn::unavailable(operation, &error),
    };
    match found(operation, request, record) {
        Look::Turn(turn) => turn,
        // Of a plain handler, before the route was switched: nobody here can tell what became of it.
        Look::Unknown(lapsed) => Turn::told(operation, lapsed.state()),
        Look::Barred(bar) => Turn::barred(operation, bar),
    }
}

/// Opens a transaction for a request without a key.
pub(crate) async fn open_plain(
    slot: &Rc<dyn Slot>,
    options: &Rc<Options>,
) -> Result<Open, HttpResponse> {
    let how = options.transaction_options();
    let call = || slot.open_plain(&how);
    match guarded(options.store_timeout(), call).await {
        Ok(()) => Ok(Open {
            slot: Rc::clone(slot),
            options: Rc::clone(options),
            operation: None,
        }),
        Err(error) => {
            incident(Incident::ClaimFailed, &"without a key", &Chain(&error));
            let problem_base = &options.problem_base;
            Err(reject(Problem::StoreUnavailable, problem_base))
        }
    }
}
