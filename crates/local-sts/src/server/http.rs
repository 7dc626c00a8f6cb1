//! HTTP connections. Faults can truncate or drop responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::protocol::request::HttpRequest;
use crate::server::dispatch::{Reply, Server};
use crate::state::faults::Delivery;

/// Requests of AWS clients have a few kilobytes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// A fault ends the connection.
#[derive(Debug, thiserror::Error)]
#[error("cut off as ordered")]
struct CutOff;

/// Accepts connections as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>) -> Infallible {
    let mut number = 0;
    loop {
        // No file descriptors left, or the peer disconnected at once: neither ends the server.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        number += 1;
        tokio::spawn(handle_connection(stream, number, Arc::clone(&server)));
    }
}

async fn handle_connection(stream: TcpStream, connection: u64, server: Arc<Server>) {
    let service = service_fn(move |incoming| {
        let server = Arc::clone(&server);
        async move {
            let Some(request) = collect(incoming, connection).await else {
                return Err(CutOff);
            };
            let reply = server.serve(request).await;
            if reply.delivery == Delivery::Dropped { Err(CutOff) } else { Ok(to_hyper(reply)) }
        }
    });
    // Errors of a connection are ignored, because the client sees them, too.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

/// Reads the complete request. Returns `None` if it is too long or the client disconnected.
async fn collect(incoming: hyper::Request<Incoming>, connection: u64) -> Option<HttpRequest> {
    let (parts, body) = incoming.into_parts();
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.ok()?.to_bytes();
    let headers = parts.headers.iter();
    Some(HttpRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
        connection,
    })
}

fn to_hyper(reply: Reply) -> hyper::Response<Payload> {
    let Reply { response, date, delivery } = reply;
    let body = Bytes::from(response.body);
    let length = body.len();
    let payload = match delivery {
        Delivery::Truncated => Payload::Cut { half: Some(body.slice(..length / 2)), flushed: false },
        Delivery::Whole | Delivery::Dropped => Payload::Whole(Some(body)),
    };
    let mut result = hyper::Response::new(payload);
    *result.status_mut() = hyper::StatusCode::from_u16(response.status).unwrap_or_default();
    let headers = result.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(response.content_type));
    headers.insert(CONTENT_LENGTH, length.into());
    headers.extend(HeaderValue::from_str(&httpdate::fmt_http_date(date)).map(|value| (DATE, value)));
    for (name, text) in response.headers {
        headers.extend(HeaderValue::from_str(&text).map(|value| (HeaderName::from_static(name), value)));
    }
    result
}

/// A body that may be truncated.
enum Payload {
    Whole(Option<Bytes>),
    Cut { half: Option<Bytes>, flushed: bool },
}

impl Body for Payload {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Cut { half, flushed } => match half.take() {
                Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
                // Yield once, so that the first half is sent before the connection ends.
                None if !*flushed => {
                    *flushed = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                None => Poll::Ready(Some(Err(CutOff))),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(Some(body)) => SizeHint::with_exact(body.len() as u64),
            Self::Whole(None) => SizeHint::with_exact(0),
            Self::Cut { .. } => SizeHint::default(),
        }
    }
}
