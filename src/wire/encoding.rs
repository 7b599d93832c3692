//! Compressed bodies, decoded under a cap: a few kilobytes may claim gigabytes.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Why a body cannot be decoded.
#[derive(Debug)]
pub enum Undecodable {
    /// The encoding is none of those that are read.
    Unknown,
    /// Decoded, it is larger than the cap.
    TooLarge,
    /// It is not what its encoding says.
    Corrupt(std::io::Error),
}

/// The encodings that are read, as a client may be told.
pub const READ: &str = "gzip, deflate, br, zstd";

/// Decodes a body of one `content-encoding`.
pub async fn decode(encoding: &str, body: Bytes, cap: usize) -> Result<Bytes, Undecodable> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(GzipDecoder::new(&*body), cap).await,
        "deflate" => read(ZlibDecoder::new(&*body), cap).await,
        "br" => read(BrotliDecoder::new(&*body), cap).await,
        "zstd" => read(ZstdDecoder::new(&*body), cap).await,
        _ => Err(Undecodable::Unknown),
    }
}

async fn read(decoder: impl AsyncRead + Unpin, cap: usize) -> Result<Bytes, Undecodable> {
    let mut out = Vec::new();
    decoder.take(cap as u64 + 1).read_to_end(&mut out).await.map_err(Undecodable::Corrupt)?;
    if out.len() > cap { Err(Undecodable::TooLarge) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const TEXT: &[u8] = b"some text, some text, some text";

    macro_rules! encoded {
        ($encoder:ident, $bytes:expr) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all($bytes).await.unwrap();
            encoder.shutdown().await.unwrap();
            Bytes::from(encoder.into_inner())
        }};
    }

    #[tokio::test]
    async fn reads_every_encoding_that_it_names() {
        let cases = [
            ("gzip", encoded!(GzipEncoder, TEXT)),
            ("deflate", encoded!(ZlibEncoder, TEXT)),
            ("br", encoded!(BrotliEncoder, TEXT)),
            ("ZSTD ", encoded!(ZstdEncoder, TEXT)),
            ("identity", Bytes::from_static(TEXT)),
        ];
        for (encoding, body) in cases {
            assert_eq!(decode(encoding, body, 100).await.unwrap(), TEXT, "{encoding}");
        }
    }

    #[tokio::test]
    async fn refuses_bombs_noise_and_what_it_does_not_know() {
        let bomb = encoded!(GzipEncoder, &vec![0; 10 << 20]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(decode("gzip", bomb, 1 << 20).await, Err(Undecodable::TooLarge)));
        assert!(matches!(decode("br", Bytes::from_static(b"noise"), 100).await, Err(Undecodable::Corrupt(_))));
        assert!(matches!(decode("compress", Bytes::new(), 100).await, Err(Undecodable::Unknown)));
    }
}
