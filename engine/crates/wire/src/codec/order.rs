//! Orders: the complete target of one worker.

use capnp::struct_list;
use swarm_core::ids::IdSet;
use swarm_core::limits::{SETTINGS_BYTES_MAX, SETTINGS_LIST_MAX, SETTINGS_TEXT_BYTES_MAX};
use swarm_core::message::{AddressOrder, ClassUsers, Connections, Moves, Order, Settings};

use super::field::{
    Result, at_most, holds, item, list_len, read_digest, read_text, read_texts, sound, text, texts,
};
use super::ids::{self, Budget};
use crate::generated::swarm_capnp::{
    AddressOrder as WireAddressOrder, arg, class_users, moves, order, settings,
};
use crate::limits::{CLASSES_MAX, CLOCK_MS_MAX, MESSAGE_BYTES_MAX, ORDER_MOVES_MAX, SPAN_MS_MAX};

/// Limits of each list of texts in the settings.
const TEXTS_MAX: (u32, usize) = (SETTINGS_LIST_MAX, SETTINGS_TEXT_BYTES_MAX);
/// With the runs of ids, an order with the longest settings stays below the largest message.
const _: () = assert!(SETTINGS_BYTES_MAX <= MESSAGE_BYTES_MAX / 4);

/// Refuses an order that could not be sent.
pub(crate) fn check(order: &Order) -> Result<()> {
    check_times(order)?;
    let mut budget = Budget::default();
    check_users(&order.users, &mut budget)?;
    check_moves(&order.moves, &mut budget)?;
    check_settings(&order.settings).map_err(|error| error.within("settings"))
}

pub(crate) fn write(order: &Order, mut to: order::Builder<'_>) -> Result<()> {
    check(order)?;
    to.set_number(order.number);
    to.set_test(order.test);
    to.set_module(&order.module);
    to.set_test_start_ms(order.test_start_ms);
    to.set_issued_ms(order.issued_ms);
    to.set_spread_ms(order.spread_ms);
    let mut budget = Budget::default();
    let mut list = to.reborrow().init_users(list_len("users", order.users.len(), CLASSES_MAX)?);
    for (i, users) in (0..).zip(&order.users) {
        let mut to = list.reborrow().get(i);
        to.set_class(users.class);
        let len = budget.take("users.ids", &users.ids)?;
        ids::write(&users.ids, to.init_ids(len));
    }
    let len = list_len("moves", order.moves.len(), ORDER_MOVES_MAX)?;
    let mut list = to.reborrow().init_moves(len);
    for (i, moves) in (0..).zip(&order.moves) {
        let mut to = list.reborrow().get(i);
        to.set_start_ms(moves.start_ms);
        to.set_spread_ms(moves.spread_ms);
        let len = budget.take("moves.ids", &moves.ids)?;
        ids::write(&moves.ids, to.init_ids(len));
    }
    write_settings(&order.settings, to.init_settings()).map_err(|error| error.within("settings"))
}

pub(crate) fn read(from: order::Reader<'_>) -> Result<Order> {
    let mut budget = Budget::default();
    let order = Order {
        number: from.get_number(),
        test: from.get_test(),
        module: read_digest("module", from.get_module())?,
        test_start_ms: from.get_test_start_ms(),
        issued_ms: from.get_issued_ms(),
        spread_ms: from.get_spread_ms(),
        users: read_users(from, &mut budget)?,
        moves: read_moves(from, &mut budget)?,
        settings: read_settings(sound("settings", from.get_settings())?)
            .map_err(|error| error.within("settings"))?,
    };
    check(&order)?;
    Ok(order)
}

pub(super) fn read_users(from: order::Reader<'_>, budget: &mut Budget) -> Result<Vec<ClassUsers>> {
    let list = sound("users", from.get_users())?;
    at_most("users", u64::from(list.len()), u64::from(CLASSES_MAX), "items long")?;
    let read = |(i, class): (u32, class_users::Reader<'_>)| {
        let ids = ids::read("ids", class.get_ids(), budget);
        let ids = ids.map_err(|error| error.within(item("users", i)))?;
        Ok(ClassUsers { class: class.get_class(), ids })
    };
    (0..).zip(list).map(read).collect()
}

fn read_moves(from: order::Reader<'_>, budget: &mut Budget) -> Result<Vec<Moves>> {
    let list = sound("moves", from.get_moves())?;
    at_most("moves", u64::from(list.len()), u64::from(ORDER_MOVES_MAX), "items long")?;
    let read = |(i, moves): (u32, moves::Reader<'_>)| {
        let ids = ids::read("ids", moves.get_ids(), budget);
        let ids = ids.map_err(|error| error.within(item("moves", i)))?;
        Ok(Moves { start_ms: moves.get_start_ms(), spread_ms: moves.get_spread_ms(), ids })
    };
    (0..).zip(list).map(read).collect()
}

fn check_times(order: &Order) -> Result<()> {
    at_most("testStartMs", order.test_start_ms, CLOCK_MS_MAX, "ms")?;
    at_most("issuedMs", order.issued_ms, CLOCK_MS_MAX, "ms")?;
    at_most("spreadMs", order.spread_ms, SPAN_MS_MAX, "ms")
}

/// Each class once, and each id in one class: an id twice would be one user running twice.
fn check_users(users: &[ClassUsers], budget: &mut Budget) -> Result<()> {
    list_len("users", users.len(), CLASSES_MAX)?;
    let mut classes = Vec::with_capacity(users.len());
    for (i, class) in (0..).zip(users) {
        check_class(class, budget).map_err(|error| error.within(item("users", i)))?;
        classes.push(class.class);
    }
    classes.sort_unstable();
    holds("users", classes.is_sorted_by(|a, b| a < b), "name a class twice")?;
    holds("users", apart(users.iter().map(|class| &class.ids)), "have an id in two classes")
}

fn check_class(class: &ClassUsers, budget: &mut Budget) -> Result<()> {
    at_most("class", u64::from(class.class), u64::from(CLASSES_MAX - 1), "as an index")?;
    budget.take("ids", &class.ids).map(drop)
}

fn check_moves(moves: &[Moves], budget: &mut Budget) -> Result<()> {
    list_len("moves", moves.len(), ORDER_MOVES_MAX)?;
    for (i, moves) in (0..).zip(moves) {
        let times = at_most("startMs", moves.start_ms, CLOCK_MS_MAX, "ms")
            .and_then(|()| at_most("spreadMs", moves.spread_ms, SPAN_MS_MAX, "ms"));
        times
            .and_then(|()| budget.take("ids", &moves.ids).map(drop))
            .map_err(|error| error.within(item("moves", i)))?;
    }
    holds("moves", apart(moves.iter().map(|moves| &moves.ids)), "have an id twice")
}

/// Has no id been put in two sets?
fn apart<'a>(sets: impl Iterator<Item = &'a IdSet>) -> bool {
    let mut runs: Vec<_> = sets.flat_map(IdSet::runs).collect();
    runs.sort_unstable_by_key(|run| run.first);
    runs.is_sorted_by(|one, next| one.last < next.first)
}

fn write_settings(settings: &Settings, mut to: settings::Builder<'_>) -> Result<()> {
    match &settings.host {
        None => to.reborrow().init_host().set_none(()),
        Some(host) => to.reborrow().init_host().set_some(host),
    }
    texts("allowHosts", &settings.allow_hosts, TEXTS_MAX, |n| to.reborrow().init_allow_hosts(n))?;
    texts("tags", &settings.tags, TEXTS_MAX, |n| to.reborrow().init_tags(n))?;
    texts("excludeTags", &settings.exclude_tags, TEXTS_MAX, |n| {
        to.reborrow().init_exclude_tags(n)
    })?;
    write_pairs("args", &settings.args, |len| to.reborrow().init_args(len))?;
    to.set_seed(settings.seed);
    to.set_stop_timeout_ms(settings.stop_timeout_ms);
    to.set_request_timeout_ms(settings.request_timeout_ms);
    to.set_insecure(settings.insecure);
    to.set_no_resend(settings.no_resend);
    to.set_shared_connections(match settings.connections {
        Connections::PerUser => 0,
        Connections::Shared(connections) => connections,
    });
    to.set_address_order(match settings.address_order {
        AddressOrder::RoundRobin => WireAddressOrder::RoundRobin,
        AddressOrder::First => WireAddressOrder::First,
        AddressOrder::Random => WireAddressOrder::Random,
    });
    to.set_stats_by_address(settings.stats_by_address);
    Ok(())
}

fn read_settings(from: settings::Reader<'_>) -> Result<Settings> {
    let host = match sound("host", from.get_host().which())? {
        settings::host::None(()) => None,
        settings::host::Some(host) => Some(read_text("host", host, SETTINGS_TEXT_BYTES_MAX)?),
    };
    Ok(Settings {
        host,
        allow_hosts: read_texts("allowHosts", from.get_allow_hosts(), TEXTS_MAX)?,
        seed: from.get_seed(),
        args: read_pairs("args", sound("args", from.get_args())?)?,
        tags: read_texts("tags", from.get_tags(), TEXTS_MAX)?,
        exclude_tags: read_texts("excludeTags", from.get_exclude_tags(), TEXTS_MAX)?,
        stop_timeout_ms: from.get_stop_timeout_ms(),
        request_timeout_ms: from.get_request_timeout_ms(),
        insecure: from.get_insecure(),
        no_resend: from.get_no_resend(),
        connections: match from.get_shared_connections() {
            0 => Connections::PerUser,
            connections => Connections::Shared(connections),
        },
        address_order: match sound("addressOrder", from.get_address_order())? {
            WireAddressOrder::RoundRobin => AddressOrder::RoundRobin,
            WireAddressOrder::First => AddressOrder::First,
            WireAddressOrder::Random => AddressOrder::Random,
        },
        stats_by_address: from.get_stats_by_address(),
    })
}

/// Writes names and values.
pub(super) fn write_pairs<'a>(
    field: &str,
    pairs: &[(String, String)],
    init: impl FnOnce(u32) -> struct_list::Builder<'a, arg::Owned>,
) -> Result<()> {
    let mut list = init(list_len(field, pairs.len(), SETTINGS_LIST_MAX)?);
    for (i, (name, value)) in (0..).zip(pairs) {
        let mut to = list.reborrow().get(i);
        to.set_name(text(&format!("{field}.name"), name, SETTINGS_TEXT_BYTES_MAX)?);
        to.set_value(text(&format!("{field}.value"), value, SETTINGS_TEXT_BYTES_MAX)?);
    }
    Ok(())
}

/// Reads names and values.
pub(super) fn read_pairs(
    field: &str,
    list: struct_list::Reader<'_, arg::Owned>,
) -> Result<Vec<(String, String)>> {
    at_most(field, u64::from(list.len()), u64::from(SETTINGS_LIST_MAX), "items long")?;
    let (name, value) = (format!("{field}.name"), format!("{field}.value"));
    let mut pairs = Vec::with_capacity(list.len() as usize);
    for pair in list {
        pairs.push((
            read_text(&name, pair.get_name(), SETTINGS_TEXT_BYTES_MAX)?,
            read_text(&value, pair.get_value(), SETTINGS_TEXT_BYTES_MAX)?,
        ));
    }
    Ok(pairs)
}

fn check_settings(settings: &Settings) -> Result<()> {
    at_most("stopTimeoutMs", settings.stop_timeout_ms, SPAN_MS_MAX, "ms")?;
    at_most("requestTimeoutMs", settings.request_timeout_ms, SPAN_MS_MAX, "ms")?;
    let mut bytes_total = 0;
    let mut check_text = |field: &str, value: &str| {
        bytes_total += value.len() as u64;
        at_most(field, bytes_total, SETTINGS_BYTES_MAX as u64, "bytes, with the settings before")?;
        text(field, value, SETTINGS_TEXT_BYTES_MAX).map(drop)
    };
    if let Some(host) = &settings.host {
        check_text("host", host)?;
    }
    let lists = [
        ("allowHosts", &settings.allow_hosts),
        ("tags", &settings.tags),
        ("excludeTags", &settings.exclude_tags),
    ];
    for (field, list) in lists {
        list_len(field, list.len(), SETTINGS_LIST_MAX)?;
        list.iter().try_for_each(|value| check_text(field, value))?;
    }
    list_len("args", settings.args.len(), SETTINGS_LIST_MAX)?;
    for (name, value) in &settings.args {
        check_text("args.name", name)?;
        check_text("args.value", value)?;
    }
    Ok(())
}
