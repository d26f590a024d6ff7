//! Logs, traces and metrics: set up once in `main`, carried across messages as W3C trace context.
