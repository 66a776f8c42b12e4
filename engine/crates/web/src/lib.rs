//! The web page and the HTTP control interface of a master.
//!
//! # Layout
//! - [`view`]: what the page knows and asks for.
#![forbid(unsafe_code)]

pub mod view;
