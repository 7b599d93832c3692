//! Who may: client keys and tenants.

/// Who may call.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The client keys; when empty, whoever reaches the port may call.
    pub client_keys: Vec<ClientKey>,
}

/// One key that a client may present. The key itself is never kept.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Its name in logs and metrics.
    pub name: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Whose cache entries it shares.
    pub tenant: String,
}
