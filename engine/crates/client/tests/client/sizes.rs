//! Memory that is multiplied by the number of users.

use swarm_client::{Request, Session};

use crate::server::session;

#[test]
fn sessions_and_requests_under_way_stay_small() {
    let session = session("http://127.0.0.1:1", &[], |_| {});
    assert!(size_of_val(&session) <= 136, "{} bytes", size_of::<Session>());
    let sending = session.send(Request::get("/"));
    assert!(size_of_val(&sending) <= 1000, "{} bytes", size_of_val(&sending));
}
