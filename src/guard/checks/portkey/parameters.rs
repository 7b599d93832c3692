//! The parameters of a check, read with errors that name them.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::Quantity;

/// Nobody is waited for longer than this, whatever a client writes.
const LONGEST: Duration = Duration::from_mins(1);

/// The object `parameters`.
pub(super) struct Parameters<'c>(pub(super) &'c Map<String, Value>);

impl Parameters<'_> {
    /// A parameter of any shape; an error if it has another.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let value = self.0.get(name).filter(|value| !value.is_null());
        let read =
            value.map(|value| T::deserialize(value).map_err(|error| format!("the parameter `{name}` cannot be read: {error}")));
        read.transpose()
    }

    /// A parameter that must be there.
    pub(super) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        self.read(name)?.ok_or_else(|| format!("the parameter `{name}` is missing"))
    }

    /// A list of texts; empty if it is left out.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        Ok(self.read(name)?.unwrap_or_default())
    }

    /// A switch. Configs that people have typed into forms write it as a text, too.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => default,
        }
    }

    /// `all`, `any` or `none`.
    pub(super) fn operator(&self, default: Quantity) -> Result<Quantity, String> {
        Ok(self.read("operator")?.unwrap_or(default))
    }

    /// A number of milliseconds, called `timeout`, as far as somebody else's patience goes.
    pub(super) fn timeout(&self, default: Duration) -> Result<Duration, String> {
        Ok(self.read("timeout")?.map_or(default, Duration::from_millis).min(LONGEST))
    }
}
