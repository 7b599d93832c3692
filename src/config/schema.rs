//! The JSON Schema of the file, for editors.

use serde_json::Value;

use super::written::Written;

/// The schema, as `deploy/lockgate.schema.json` holds it.
pub fn schema() -> Value {
    schemars::schema_for!(Written).to_value()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn the_committed_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/lockgate.schema.json");
        let current = serde_json::to_string_pretty(&super::schema()).unwrap() + "\n";
        if crate::config::environment("LOCKGATE_UPDATE_SCHEMA").is_some() {
            fs::write(&path, &current).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == current, "stale: run LOCKGATE_UPDATE_SCHEMA=1 cargo test schema");
    }
}
