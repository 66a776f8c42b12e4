//! A worker's life with its master, over real sockets.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::rc::Rc;

use common::{
    MASTER_TIME_MS, Master, Worker, dial, heartbeat, info, listen, order, report, run, until,
};
use swarm_core::ids::IdRun;
use swarm_core::message::{ClassUsers, Heartbeat, PROTOCOL_VERSION};
use swarm_wire::limits::REASON_BYTES_MAX;
use swarm_wire::{ConnectError, Delivery, WireError, connect, limits};

#[test]
fn a_worker_registers_works_and_leaves() {
    run(async {
        let master = Master::with_module(vec![1; 10]);
        let worker = Worker::new();
        let stream = dial(listen(&master).await).await;
        let (session, accepted) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        assert_eq!(accepted.worker_index, 0);
        assert_eq!(accepted.master_time_ms, MASTER_TIME_MS);
        assert_eq!(accepted.module.unwrap().size, 10);
        assert_eq!(master.workers.borrow()[0].1, info("a"));

        assert_eq!(master.worker(0).order(order(1)).await, Ok(Delivery::Taken));
        assert_eq!(*worker.orders.borrow(), [order(1)]);
        assert_eq!(session.heartbeat(&heartbeat()).await, Ok(MASTER_TIME_MS));
        assert_eq!(*master.heartbeats.borrow(), [(0, heartbeat())]);
        for sequence in 1..=3 {
            assert_eq!(session.report(&report(sequence)).await, Ok(sequence));
        }
        let reports = master.reports.borrow().clone();
        assert_eq!(reports, [(0, report(1)), (0, report(2)), (0, report(3))]);

        session.leave().await.unwrap();
        assert_eq!(*master.left.borrow(), [0]);
        drop(session);
        assert_eq!(master.closed(0).await, "the other side closed the connection");
    });
}

#[test]
fn an_id_that_is_taken_is_refused() {
    run(async {
        let master = Rc::new(Master::default());
        let address = listen(&master).await;
        let _first = connect(dial(address).await, &info("a"), Worker::new()).await.unwrap();
        let second = connect(dial(address).await, &info("a"), Worker::new()).await;
        // It may leave.
        let refused = ConnectError::RefusedForNow("worker \"a\" is already here".into());
        assert_eq!(second.unwrap_err(), refused);
        // The refused worker's connection is gone, the other's is not.
        master.closed(1).await;
        assert_eq!(master.closed.borrow().len(), 1);
    });
}

#[test]
fn another_protocol_is_refused_with_both_sides_named() {
    run(async {
        let master = Rc::new(Master::default());
        let mut stranger = info("old");
        stranger.protocol = PROTOCOL_VERSION + 1;
        stranger.version = "9.9.9".into();
        let stream = dial(listen(&master).await).await;
        let result = connect(stream, &stranger, Worker::new()).await;
        let Err(ConnectError::Refused(reason)) = result else { panic!("{result:?}") };
        let theirs = format!("worker \"old\" (swarm \"9.9.9\") speaks protocol {}", 2);
        assert!(reason.contains(&theirs), "{reason}");
        assert!(reason.contains("speaks protocol 1: run the same version"), "{reason}");
        assert!(master.workers.borrow().is_empty(), "the handler was not asked");
    });
}

#[test]
fn what_breaks_a_limit_is_not_sent() {
    run(async {
        let master = Rc::new(Master::default());
        let address = listen(&master).await;
        let result = connect(dial(address).await, &info(""), Worker::new()).await;
        let Err(ConnectError::Wire(WireError::Unsendable(error))) = result else {
            panic!("{result:?}")
        };
        let why = "info.id cannot be used: a worker's id must not be empty";
        assert_eq!(error.to_string(), why);

        let worker = Worker::new();
        let stream = dial(address).await;
        let (session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        let error = session.report(&report(0)).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot be sent: report.sequence is 0, the first is 1");
        let mut twice = order(1);
        twice.users.push(ClassUsers { class: 1, ids: (3..5).collect() });
        let error = master.worker(1).order(twice).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot be sent: order.users have an id in two classes");
        assert_eq!(*master.undeliverable.borrow(), [(1, 1, error.to_string())]);
        // Neither did harm.
        assert_eq!(session.report(&report(1)).await, Ok(1));
        assert_eq!(master.worker(1).order(order(1)).await, Ok(Delivery::Taken));
        assert_eq!(worker.order_numbers(), [1]);
        assert_eq!(master.undeliverable.borrow().len(), 1, "what arrives is no news");
    });
}

/// Else the worker would fall silent because of a text for people.
#[test]
fn a_long_problem_is_cut_rather_than_not_told() {
    run(async {
        let master = Rc::new(Master::default());
        let stream = dial(listen(&master).await).await;
        let (session, _) = connect(stream, &info("a"), Worker::new()).await.unwrap();
        let long = "ä".repeat(REASON_BYTES_MAX);
        let beat =
            Heartbeat { problem: Some(long.clone()), warning: Some(long.clone()), ..heartbeat() };
        session.heartbeat(&beat).await.unwrap();
        let (_, told) = master.heartbeats.borrow()[0].clone();
        for text in [told.problem, told.warning] {
            let text = text.expect("it was told");
            assert!(text.len() == REASON_BYTES_MAX && long.starts_with(&text));
        }
    });
}

#[test]
fn orders_arrive_in_order_and_only_the_newest_waits() {
    run(async {
        let master = Rc::new(Master::default());
        let worker = Worker::new();
        let stream = dial(listen(&master).await).await;
        let (_session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        let handle = master.worker(0);
        for number in 1..=3 {
            assert_eq!(handle.order(order(number)).await, Ok(Delivery::Taken));
        }
        worker.slow.set(true);
        let held = handle.order(order(4));
        until(|| worker.orders.borrow().len() == 4).await;
        let mut waiting: Vec<_> = (5..=1_000).map(|number| handle.order(order(number))).collect();
        let newest = waiting.pop().unwrap();
        for older in waiting {
            assert_eq!(older.await, Ok(Delivery::Superseded));
        }
        worker.slow.set(false);
        worker.resume.notify_one();
        assert_eq!(held.await, Ok(Delivery::Taken));
        assert_eq!(newest.await, Ok(Delivery::Taken));
        assert_eq!(worker.order_numbers(), [1, 2, 3, 4, 1_000]);
    });
}

/// Nobody has to wait for an order that was sent.
#[test]
fn an_order_is_sent_though_its_future_is_dropped() {
    run(async {
        let master = Rc::new(Master::default());
        let worker = Worker::new();
        let stream = dial(listen(&master).await).await;
        let (_session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        drop(master.worker(0).order(order(1)));
        until(|| worker.order_numbers() == [1]).await;
    });
}

#[test]
fn the_largest_order_passes() {
    run(async {
        let master = Rc::new(Master::default());
        let worker = Worker::new();
        let stream = dial(listen(&master).await).await;
        let (_session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        let mut large = order(1);
        let apart = (0..limits::ORDER_RUNS_MAX).map(|run| IdRun { first: 2 * run, last: 2 * run });
        large.users = vec![ClassUsers { class: 3, ids: apart.collect() }];
        assert_eq!(master.worker(0).order(large.clone()).await, Ok(Delivery::Taken));
        assert!(worker.orders.borrow()[0] == large);
        large.users.push(ClassUsers { class: 4, ids: [u32::MAX].into_iter().collect() });
        let error = master.worker(0).order(large).await.unwrap_err();
        assert!(error.to_string().contains("order.users[1].ids is 1000001 runs long"), "{error}");
    });
}

#[test]
fn a_worker_is_asked_to_quit_while_it_is_busy_with_an_order() {
    run(async {
        let master = Rc::new(Master::default());
        let worker = Worker::new();
        let stream = dial(listen(&master).await).await;
        let (_session, _) = connect(stream, &info("a"), Rc::clone(&worker)).await.unwrap();
        worker.slow.set(true);
        let held = master.worker(0).order(order(1));
        assert_eq!(master.worker(0).quit("the test is over").await, Ok(()));
        assert_eq!(*worker.quits.borrow(), ["the test is over"]);
        worker.resume.notify_one();
        assert_eq!(held.await, Ok(Delivery::Taken));
    });
}

#[test]
fn two_hundred_workers_at_once() {
    run(async {
        let master = Rc::new(Master::default());
        let address = listen(&master).await;
        let workers: Vec<_> = (0..200)
            .map(|i| {
                let worker = Worker::new();
                let mut info = info(&format!("w{i}"));
                info.stream = i;
                let seen = Rc::clone(&worker);
                let task = tokio::task::spawn_local(async move {
                    let (session, _) = connect(dial(address).await, &info, worker).await.unwrap();
                    for sequence in 1..=5 {
                        let mut report = report(sequence);
                        report.stream = i;
                        assert_eq!(session.report(&report).await, Ok(sequence));
                        assert_eq!(session.heartbeat(&heartbeat()).await, Ok(MASTER_TIME_MS));
                    }
                    session
                });
                (task, seen)
            })
            .collect();
        let mut sessions = Vec::new();
        let mut seen = Vec::new();
        for (task, worker) in workers {
            sessions.push(task.await.unwrap());
            seen.push(worker);
        }
        assert_eq!(master.reports.borrow().len(), 1_000);
        let orders: Vec<_> = (0..200).map(|conn| master.worker(conn).order(order(9))).collect();
        for order in orders {
            assert_eq!(order.await, Ok(Delivery::Taken));
        }
        assert!(seen.iter().all(|worker| worker.order_numbers() == [9]));
        drop(sessions);
        until(|| master.closed.borrow().len() == 200).await;
    });
}
