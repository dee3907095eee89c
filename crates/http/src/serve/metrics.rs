//! A listener of its own for metrics.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::Uri;
use tower::ServiceExt as _;

/// The one route that is served.
const METRICS: &str = "/v1/metrics";

/// `app` without all of its routes but the metrics. Whatever else is asked for gets the application's own 404: it is asked for
/// a path that does not exist.
pub fn only_metrics(app: Router) -> Router {
    Router::new().fallback(move |mut request: Request<Body>| {
        let app = app.clone();
        async move {
            if request.uri().path() != METRICS {
                *request.uri_mut() = Uri::from_static("/");
            }
            app.oneshot(request).await
        }
    })
}
