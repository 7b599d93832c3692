//! The upstream that the bench measures against: the same small answer to everything, as fast as hyper gives it.

use std::{
    convert::Infallible,
    env,
    io::{Read as _, Write as _},
    process::Command,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::binary::Running;

/// The variable that makes this executable the upstream instead of the bench.
pub(crate) const ROLE: &str = "LOCKGATE_BENCH_UPSTREAM";

/// A completion of the size that short answers have.
const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1760000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"The capital of France is Paris. It lies on the Seine in the north of the country, and has been its seat of government for most of the last thousand years.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":24,"completion_tokens":34,"total_tokens":58,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}"#;

/// Starts the upstream as a process of its own.
pub(crate) fn start() -> Running {
    let mut command = Command::new(env::current_exe().expect("this executable has a path"));
    command.env(ROLE, "1");
    Running::start(command)
}

/// Is the upstream, until the bench goes away.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    // A bench that is killed cannot stop its upstream, but its end of this pipe closes.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    runtime.block_on(serve()).expect("loopback can be listened on");
}

async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // Read to its end, or the connection could not be used again.
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}
