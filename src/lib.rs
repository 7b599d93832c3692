//! Lockgate: a semantic cache and guardrails sidecar for LLM traffic.

pub mod access;
pub mod app;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod demo;
pub mod diagnostics;
pub mod egress;
pub mod embed;
pub mod error;
pub mod exchange;
pub mod guard;
pub mod ingress;
pub mod ledger;
pub mod outbound;
pub mod pipeline;
pub mod route;
pub mod telemetry;
pub mod wire;
