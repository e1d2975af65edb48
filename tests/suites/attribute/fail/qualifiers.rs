use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent]
async unsafe fn not_safe() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent]
extern "C" fn foreign() -> usize {
    1
}

unsafe extern "C" {
    #[idempotent]
    fn declared(count: usize, ...);
}

#[idempotent]
unsafe extern "C" fn variadic(_args: ...) -> usize {
    1
}

#[idempotent(ttl = "1")]
unsafe extern "C" fn both() -> usize {
    1
}

fn main() {
    let _ = (not_safe, foreign, both);
}
