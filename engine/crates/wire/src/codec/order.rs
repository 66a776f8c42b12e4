//! Orders: the complete target of one worker.

use swarm_core::message::{ClassUsers, Order, Settings};

use super::field::{
    Result, at_most, holds, item, list_len, read_digest, read_text, read_texts, sound, text, texts,
};
use crate::generated::swarm_capnp::{class_users, order, settings};
use crate::limits::{
    CLASSES_MAX, CLOCK_MS_MAX, MESSAGE_BYTES_MAX, ORDER_IDS_MAX, SETTINGS_LIST_MAX,
    SETTINGS_TEXT_BYTES_MAX, SPAN_MS_MAX,
};

/// Limits of each list of texts in the settings.
const TEXTS_MAX: (u32, usize) = (SETTINGS_LIST_MAX, SETTINGS_TEXT_BYTES_MAX);
/// Bytes that all texts of the settings may have together: with the ids, an order stays below
/// the largest message.
const SETTINGS_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4;

/// Refuses an order that could not be sent.
pub(crate) fn check(order: &Order) -> Result<()> {
    check_times(order)?;
    check_users(&order.users)?;
    check_settings(&order.settings).map_err(|error| error.within("settings"))
}

pub(crate) fn write(order: &Order, mut to: order::Builder<'_>) -> Result<()> {
    check(order)?;
    to.set_number(order.number);
    to.set_test(order.test);
    to.set_module(&order.module);
    to.set_test_start_ms(order.test_start_ms);
    to.set_spread_ms(order.spread_ms);
    let mut list = to.reborrow().init_users(list_len("users", order.users.len(), CLASSES_MAX)?);
    for (i, users) in (0..).zip(&order.users) {
        let mut to = list.reborrow().get(i);
        to.set_class(users.class);
        let mut ids = to.init_ids(list_len("users.ids", users.ids.len(), ORDER_IDS_MAX)?);
        for (i, id) in (0..).zip(&users.ids) {
            ids.set(i, *id);
        }
    }
    write_settings(&order.settings, to.init_settings()).map_err(|error| error.within("settings"))
}

pub(crate) fn read(from: order::Reader<'_>) -> Result<Order> {
    let order = Order {
        number: from.get_number(),
        test: from.get_test(),
        module: read_digest("module", from.get_module())?,
        test_start_ms: from.get_test_start_ms(),
        spread_ms: from.get_spread_ms(),
        users: read_users(from)?,
        settings: read_settings(sound("settings", from.get_settings())?)
            .map_err(|error| error.within("settings"))?,
    };
    check(&order)?;
    Ok(order)
}

pub(super) fn read_users(from: order::Reader<'_>) -> Result<Vec<ClassUsers>> {
    let list = sound("users", from.get_users())?;
    at_most("users", u64::from(list.len()), u64::from(CLASSES_MAX), "items long")?;
    let mut ids_total = 0;
    let mut users = Vec::with_capacity(list.len() as usize);
    for (i, class) in (0..).zip(list) {
        let class = read_class(class, &mut ids_total).map_err(|e| e.within(item("users", i)))?;
        users.push(class);
    }
    Ok(users)
}

/// Counts the ids before it copies them, so that many lists over the same bytes are refused too.
fn read_class(from: class_users::Reader<'_>, ids_total: &mut u64) -> Result<ClassUsers> {
    let ids = sound("ids", from.get_ids())?;
    *ids_total += u64::from(ids.len());
    check_ids_total(*ids_total)?;
    Ok(ClassUsers { class: from.get_class(), ids: ids.iter().collect() })
}

fn check_ids_total(total: u64) -> Result<()> {
    at_most("ids", total, u64::from(ORDER_IDS_MAX), "long, all classes together")
}

fn check_times(order: &Order) -> Result<()> {
    at_most("testStartMs", order.test_start_ms, CLOCK_MS_MAX, "ms")?;
    at_most("spreadMs", order.spread_ms, SPAN_MS_MAX, "ms")
}

/// Each class once, and the ids of each ascending: an id twice would be one user running twice.
fn check_users(users: &[ClassUsers]) -> Result<()> {
    list_len("users", users.len(), CLASSES_MAX)?;
    let mut ids_total = 0;
    let mut classes = Vec::with_capacity(users.len());
    for (i, class) in (0..).zip(users) {
        check_class(class, &mut ids_total).map_err(|error| error.within(item("users", i)))?;
        classes.push(class.class);
    }
    classes.sort_unstable();
    holds("users", classes.is_sorted_by(|a, b| a < b), "name a class twice")
}

fn check_class(class: &ClassUsers, ids_total: &mut u64) -> Result<()> {
    at_most("class", u64::from(class.class), u64::from(CLASSES_MAX - 1), "as an index")?;
    *ids_total += class.ids.len() as u64;
    check_ids_total(*ids_total)?;
    holds("ids", class.ids.is_sorted_by(|a, b| a < b), "do not ascend")
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
    let len = list_len("args", settings.args.len(), SETTINGS_LIST_MAX)?;
    let mut args = to.reborrow().init_args(len);
    for (i, (name, value)) in (0..).zip(&settings.args) {
        let mut to = args.reborrow().get(i);
        to.set_name(text("args.name", name, SETTINGS_TEXT_BYTES_MAX)?);
        to.set_value(text("args.value", value, SETTINGS_TEXT_BYTES_MAX)?);
    }
    to.set_seed(settings.seed);
    to.set_stop_timeout_ms(settings.stop_timeout_ms);
    to.set_request_timeout_ms(settings.request_timeout_ms);
    to.set_insecure(settings.insecure);
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
        args: read_args(from)?,
        tags: read_texts("tags", from.get_tags(), TEXTS_MAX)?,
        exclude_tags: read_texts("excludeTags", from.get_exclude_tags(), TEXTS_MAX)?,
        stop_timeout_ms: from.get_stop_timeout_ms(),
        request_timeout_ms: from.get_request_timeout_ms(),
        insecure: from.get_insecure(),
    })
}

fn read_args(from: settings::Reader<'_>) -> Result<Vec<(String, String)>> {
    let list = sound("args", from.get_args())?;
    at_most("args", u64::from(list.len()), u64::from(SETTINGS_LIST_MAX), "items long")?;
    let mut args = Vec::with_capacity(list.len() as usize);
    for arg in list {
        args.push((
            read_text("args.name", arg.get_name(), SETTINGS_TEXT_BYTES_MAX)?,
            read_text("args.value", arg.get_value(), SETTINGS_TEXT_BYTES_MAX)?,
        ));
    }
    Ok(args)
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
