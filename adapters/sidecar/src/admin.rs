//! The operator's questions: `/metrics` has the metrics of plugins, summed over all workers, as pairs of a name and a value in JSON.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use crate::front;
use crate::worker::Worker;

/// Names and values.
type Metrics = Vec<(String, u64)>;
/// A question to a worker.
pub(crate) type Question = oneshot::Sender<Metrics>;

/// Answers the questions to a worker, without end.
pub(crate) async fn answer(worker: Rc<Worker>, mut questions: mpsc::UnboundedReceiver<Question>) {
    while let Some(question) = questions.recv().await {
        // Who asked may be gone.
        let _ = question.send(worker.metrics());
    }
}

/// Serves a connection of the operator.
pub(crate) async fn serve(socket: TcpStream, workers: Arc<Vec<mpsc::UnboundedSender<Question>>>) {
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request: Request<Incoming>| {
        let workers = workers.clone();
        async move { Ok::<_, Infallible>(respond(request.uri().path(), &workers).await) }
    });
    // An operator who goes away is nothing special.
    let _ = front::builder(16 << 10).serve_connection(TokioIo::new(socket), service).await;
}

async fn respond(path: &str, workers: &[mpsc::UnboundedSender<Question>]) -> Response<Full<Bytes>> {
    if path != "/metrics" {
        let mut response = Response::new(Full::from("there is /metrics\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut sum = Metrics::new();
    for worker in workers {
        let (question, answer) = oneshot::channel();
        if worker.send(question).is_ok() {
            add(&mut sum, answer.await.unwrap_or_default());
        }
    }
    Response::new(Full::from(serde_json::json!(sum).to_string()))
}

fn add(sum: &mut Metrics, more: Metrics) {
    for (name, value) in more {
        match sum.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.wrapping_add(value),
            None => sum.push((name, value)),
        }
    }
}
