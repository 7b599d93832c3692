//! An upstream behind TLS, as every hosted one is, with a certificate that the binary trusts or does not.

use std::{net::SocketAddr, path::Path, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    CHAT, Upstream,
    binary::{Running, lockgate},
    chat,
    client::{Answer, Client},
};

/// Takes TLS off in front of an upstream. Gives its address and its certificate.
async fn behind_tls(upstream: SocketAddr) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate breaks off here.
                let Ok(mut outside) = acceptor.accept(outside).await else { return };
                let mut inside = TcpStream::connect(upstream).await.unwrap();
                drop(copy_bidirectional(&mut outside, &mut inside).await);
            });
        }
    });
    (address, made.cert.pem())
}

/// Asks once through a binary whose upstream is `localhost` at this port, trusting the certificate in `folder` or only the system's.
async fn asked(port: u16, folder: &Path, trusting: bool) -> Answer {
    let file = folder.join("lockgate.yaml");
    let server = "server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' }";
    std::fs::write(&file, format!("{server}\nupstream: {{ url: 'https://localhost:{port}/v1' }}\n")).unwrap();
    let mut command = lockgate(&["serve", "--config", file.to_str().unwrap()], folder);
    if trusting {
        command.env("SSL_CERT_FILE", folder.join("cert.pem"));
    }
    let running = Running::start(command);
    let mut client = Client::to(running.origin.strip_prefix("http://").unwrap().parse().unwrap()).await;
    client.post(CHAT).json(&chat("Hi")).send().await
}

#[tokio::test]
async fn an_upstream_behind_tls_is_asked_when_its_certificate_is_trusted_and_not_otherwise() {
    let upstream = Upstream::plain().await;
    let (address, certificate) = behind_tls(upstream.address).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), certificate).unwrap();

    let refused = asked(address.port(), folder.path(), false).await;
    assert_eq!(refused.status, 502);
    refused.is_error(502, "upstream_unreachable", &["TLS handshake", "certificate", "`upstream.url`"]);
    assert_eq!(upstream.calls(), 0);

    assert_eq!(asked(address.port(), folder.path(), true).await.status, 200);
    assert_eq!(upstream.calls(), 1);
}
