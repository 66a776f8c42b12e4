//! What `POST /swarm` may hold: a form or a JSON object, checked into a [`SwarmRequest`].

use axum::http::StatusCode;
use serde_json::Value;
use swarm_core::limits::{RATE_MAX, RATE_MIN, USERS_MAX};
use swarm_core::pace::check_rate;
use swarm_core::span;
use url::{Url, form_urlencoded};

use crate::error::Refusal;
use crate::view::{SwarmRequest, View};

/// Longest base URL accepted, in bytes.
pub const HOST_BYTES_MAX: usize = 2_048;

/// What is read, for messages.
const KNOWN: &str = "user_count, spawn_rate, host, run_time and user_classes";

/// What Locust's own page sends when nobody has chosen a shape.
const NO_SHAPE: (&str, &str) = ("shape_class", "Default");

/// The fields as they arrived. A field with another name is refused unless it is empty: Locust's
/// page sends some that mean nothing here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    user_count: Option<String>,
    spawn_rate: Option<String>,
    host: Option<String>,
    run_time: Option<String>,
    user_classes: Vec<String>,
}

impl Fields {
    /// Reads a body by its content type.
    pub(crate) fn read(content_type: &str, body: &[u8]) -> Result<Self, Refusal> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => Self::from_json(body),
            "application/x-www-form-urlencoded" => Self::from_form(body),
            other => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!(
                    "content type `{}` is not read here: send application/x-www-form-urlencoded \
                     or application/json",
                    shown(other)
                ),
            )),
        }
    }

    fn from_form(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            fields.take(&name, value.into_owned())?;
        }
        Ok(fields)
    }

    fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        let value = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_input(format!("the body is not JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(Refusal::bad_input("the body must be a JSON object"));
        };
        let mut fields = Self::default();
        for (name, value) in object {
            match value {
                Value::Null => {}
                Value::String(text) => fields.take(&name, text)?,
                Value::Number(number) => fields.take(&name, number.to_string())?,
                Value::Array(values) if name == "user_classes" => {
                    for value in values {
                        let Value::String(class) = value else {
                            return Err(wrong_kind(&name, false));
                        };
                        fields.take(&name, class)?;
                    }
                }
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(wrong_kind(&name, fields.slot(&name).is_some()));
                }
            }
        }
        Ok(fields)
    }

    /// Takes one value.
    fn take(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        if name == "user_classes" {
            if !value.is_empty() && !self.user_classes.contains(&value) {
                self.user_classes.push(value);
            }
            return Ok(());
        }
        let Some(slot) = self.slot(name) else {
            let means_nothing = value.trim().is_empty() || (name, value.as_str()) == NO_SHAPE;
            return if means_nothing { Ok(()) } else { Err(unknown(name)) };
        };
        if slot.as_ref().is_some_and(|other| *other != value) {
            return Err(Refusal::bad_input(format!("{name} is given twice, with two values")));
        }
        *slot = Some(value);
        Ok(())
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "user_count" => Some(&mut self.user_count),
            "spawn_rate" => Some(&mut self.spawn_rate),
            "host" => Some(&mut self.host),
            "run_time" => Some(&mut self.run_time),
            _ => None,
        }
    }

    /// Checks every field.
    ///
    /// `view` says whether this edits a running test: an edit that does not name a run time keeps
    /// the present one, as in Locust; an empty run time takes it away.
    pub(crate) fn check(&self, view: &View) -> Result<SwarmRequest, Refusal> {
        let editing = view.state.is_live();
        let run_time_s = match self.run_time.as_deref().map(str::trim) {
            None if editing => view.run_time_s,
            None | Some("") => None,
            Some(text) => Some(run_time(text)?),
        };
        Ok(SwarmRequest {
            user_count: users(self.user_count.as_deref())?,
            spawn_rate: rate(self.spawn_rate.as_deref())?,
            host: host(self.host.as_deref())?,
            run_time_s,
            user_classes: user_classes(&self.user_classes, view)?,
        })
    }
}

/// A value in JSON that no field of this name takes.
fn wrong_kind(name: &str, is_known: bool) -> Refusal {
    match name {
        "user_classes" => Refusal::bad_input("user_classes must be a list of names"),
        _ if is_known => Refusal::bad_input(format!("{name} must be a number or a text")),
        _ => unknown(name),
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::bad_input(format!(
        "there is no field `{}` here: {KNOWN} are read; the scenario gets its arguments by --arg, \
         when swarm starts",
        shown(name)
    ))
}

/// No class named is all of them.
fn user_classes(names: &[String], view: &View) -> Result<Option<Vec<String>>, Refusal> {
    let is_class = |name: &&String| view.classes.iter().any(|class| class.name == **name);
    if let Some(unknown) = names.iter().find(|name| !is_class(name)) {
        let classes: Vec<_> = view.classes.iter().map(|class| class.name.as_str()).collect();
        return Err(Refusal::bad_input(format!(
            "there is no user class `{}` in this scenario: it has {}",
            shown(unknown),
            classes.join(", ")
        )));
    }
    let mut names = names.to_vec();
    names.sort();
    Ok((!names.is_empty()).then_some(names))
}

fn run_time(text: &str) -> Result<u64, Refusal> {
    span::parse(text).map_err(|error| Refusal::bad_input(format!("run time: {error}")))
}

/// Cuts a value for use in a message.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn users(text: Option<&str>) -> Result<u32, Refusal> {
    let text = text.unwrap_or_default().trim();
    let range = format!("must be a whole number from 1 to {USERS_MAX}");
    if text.is_empty() {
        return Err(Refusal::bad_input(format!("number of users is missing: it {range}")));
    }
    match text.parse::<u32>() {
        Ok(users) if (1..=USERS_MAX).contains(&users) => Ok(users),
        _ => Err(Refusal::bad_input(format!("number of users {range}, not `{}`", shown(text)))),
    }
}

fn rate(text: Option<&str>) -> Result<f64, Refusal> {
    let text = text.unwrap_or_default().trim();
    let range =
        format!("must be a number of users a second above 0, from {RATE_MIN} to {RATE_MAX}");
    if text.is_empty() {
        return Err(Refusal::bad_input(format!("spawn rate is missing: it {range}")));
    }
    match text.parse::<f64>() {
        Ok(rate) if check_rate(rate).is_ok() => Ok(rate),
        _ => Err(Refusal::bad_input(format!("spawn rate {range}, not `{}`", shown(text)))),
    }
}

/// An empty host means the present one: Locust's form sends it empty when nobody typed one.
fn host(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let text = text.unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > HOST_BYTES_MAX {
        let message = format!("host is longer than {HOST_BYTES_MAX} bytes");
        return Err(Refusal::bad_input(message));
    }
    let wanted = "must be an address like http://localhost:8080 or https://example.com";
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Refusal::bad_input(format!("host {wanted}, not `{}`", shown(text)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{ClassView, TestState};

    fn shop() -> View {
        let class = |name: &str| ClassView { name: name.into(), user_count: 0, runs: true };
        View { classes: vec![class("Buyer"), class("Looker")], ..View::default() }
    }

    fn form(body: &str) -> Result<SwarmRequest, Refusal> {
        checked(body, &shop())
    }

    fn checked(body: &str, view: &View) -> Result<SwarmRequest, Refusal> {
        Fields::read("application/x-www-form-urlencoded", body.as_bytes())?.check(view)
    }

    fn json(body: &str) -> Result<SwarmRequest, Refusal> {
        Fields::read("application/json; charset=utf-8", body.as_bytes())?.check(&shop())
    }

    #[test]
    fn a_form_and_an_object_say_the_same() {
        let wanted = SwarmRequest {
            user_count: 50,
            spawn_rate: 2.5,
            host: Some("http://127.0.0.1:8080/shop".into()),
            run_time_s: Some(5_400),
            user_classes: Some(vec!["Buyer".into(), "Looker".into()]),
        };
        let sent = "user_count=50&spawn_rate=2.5&host=http%3A%2F%2F127.0.0.1%3A8080%2Fshop\
                    &run_time=1h30m&user_classes=Looker&user_classes=Buyer&profile=";
        assert_eq!(form(sent), Ok(wanted.clone()));
        let sent = r#"{"user_count": 50, "spawn_rate": 2.5, "run_time": "1h30m", "profile": null,
                       "host": "http://127.0.0.1:8080/shop",
                       "user_classes": ["Looker", "Buyer", "Looker"]}"#;
        assert_eq!(json(sent), Ok(wanted));
    }

    #[test]
    fn what_is_empty_is_left_as_it_is() {
        let request = form("user_count=1&spawn_rate=1&host=&run_time=").unwrap();
        assert_eq!((request.host, request.run_time_s), (None, None));
        let request = json(r#"{"user_count":"1","spawn_rate":"0.5","host":null}"#).unwrap();
        assert_eq!((request.host, request.spawn_rate), (None, 0.5));
        let body = "user_count=1&spawn_rate=1&profile=&shape_class=Default&user_classes=&other= ";
        let request = form(body).expect("what Locust's page sends");
        assert_eq!(request.user_classes, None);
        let request = json(r#"{"user_count":1,"spawn_rate":1,"user_classes":[],"x":""}"#).unwrap();
        assert_eq!(request.user_classes, None);
    }

    #[test]
    fn what_would_have_no_effect_is_refused() {
        for (field, part) in [
            ("profile=night", "there is no field `profile`"),
            ("shape_class=Stairs", "there is no field `shape_class`"),
            ("basket=large", "there is no field `basket`"),
            (
                "user_classes=Nobody",
                "no user class `Nobody` in this scenario: it has Buyer, Looker",
            ),
            ("user_count=2", "user_count is given twice"),
        ] {
            let body = format!("user_count=1&spawn_rate=1&{field}");
            let refusal = form(&body).expect_err(&body);
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
            assert!(refusal.message.contains(part), "{body}: {}", refusal.message);
        }
        for (field, part) in [
            (r#""basket": 3"#, "there is no field `basket`"),
            (r#""basket": {}"#, "there is no field `basket`"),
            (r#""user_classes": "Nobody""#, "no user class `Nobody`"),
            (r#""user_classes": [1]"#, "a list of names"),
            (r#""user_classes": {}"#, "a list of names"),
        ] {
            let body = format!(r#"{{"user_count": 1, "spawn_rate": 1, {field}}}"#);
            let refusal = json(&body).expect_err(&body);
            assert!(refusal.message.contains(part), "{body}: {}", refusal.message);
        }
    }

    #[test]
    fn an_edit_keeps_the_run_time_that_it_does_not_name() {
        let view = View { state: TestState::Running, run_time_s: Some(60), ..View::default() };
        let run_time = |body| checked(body, &view).map(|request| request.run_time_s);
        assert_eq!(run_time("user_count=1&spawn_rate=1"), Ok(Some(60)));
        assert_eq!(run_time("user_count=1&spawn_rate=1&run_time="), Ok(None));
        assert_eq!(run_time("user_count=1&spawn_rate=1&run_time=90"), Ok(Some(90)));
        let view = View { state: TestState::Stopped, run_time_s: Some(60), ..View::default() };
        let request = checked("user_count=1&spawn_rate=1", &view).unwrap();
        assert_eq!(request.run_time_s, None, "a new test starts without the old run time");
    }

    #[test]
    fn bad_values_are_named() {
        let cases = [
            ("spawn_rate=1", "number of users is missing"),
            ("user_count=0&spawn_rate=1", "number of users"),
            ("user_count=-5&spawn_rate=1", "not `-5`"),
            ("user_count=1.5&spawn_rate=1", "not `1.5`"),
            ("user_count=10000001&spawn_rate=1", "10000000"),
            ("user_count=4294967297&spawn_rate=1", "number of users"),
            ("user_count=1", "spawn rate is missing"),
            ("user_count=1&spawn_rate=0", "above 0"),
            ("user_count=1&spawn_rate=-1", "above 0"),
            ("user_count=1&spawn_rate=NaN", "not `NaN`"),
            ("user_count=1&spawn_rate=inf", "not `inf`"),
            ("user_count=1&spawn_rate=1e999", "spawn rate"),
            ("user_count=1&spawn_rate=1&run_time=soon", "run time: \"soon\" is no time"),
            ("user_count=1&spawn_rate=1&host=localhost", "host must be"),
            ("user_count=1&spawn_rate=1&host=localhost:8080", "host must be"),
            ("user_count=1&spawn_rate=1&host=ftp://a", "not `ftp://a`"),
            ("user_count=1&spawn_rate=1&host=javascript:alert(1)", "host must be"),
            ("user_count=1&spawn_rate=1&host=http://", "host must be"),
        ];
        for (body, part) in cases {
            let refusal = form(body).expect_err(body);
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
            assert!(refusal.message.contains(part), "{body}: {}", refusal.message);
        }
    }

    #[test]
    fn bodies_that_are_neither_are_refused() {
        assert_eq!(Fields::read("text/plain", b"").unwrap_err().status.as_u16(), 415);
        for body in ["", "[]", "7", "{", r#"{"user_count": [1]}"#, r#"{"host": {}}"#] {
            assert_eq!(json(body).unwrap_err().status.as_u16(), 400, "{body}");
        }
    }
}
