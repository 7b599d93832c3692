//! Addresses of digital money.

use sha2::{Digest as _, Sha256};

/// Version, hash and checksum of a base58check address, in bytes.
const BASE58_BYTES: usize = 25;
/// Of which the last are the checksum.
const CHECKSUM_BYTES: usize = 4;

/// Base58check (`1…` and `3…`) or bech32 (`bc1…`).
pub(super) fn bitcoin(matched: &str) -> bool {
    bech32::segwit::decode(matched).is_ok_and(|(prefix, ..)| prefix == bech32::hrp::BC) || base58check(matched)
}

fn base58check(matched: &str) -> bool {
    let mut bytes = [0; BASE58_BYTES];
    if bs58::decode(matched).onto(&mut bytes) != Ok(BASE58_BYTES) {
        return false;
    }
    let (payload, checksum) = bytes.split_at(BASE58_BYTES - CHECKSUM_BYTES);
    // 0 pays to a key, 5 to a script.
    matches!(payload[0], 0 | 5) && Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}
