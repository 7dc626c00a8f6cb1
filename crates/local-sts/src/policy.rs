//! IAM policies: documents, conditions and principals.

pub(crate) mod condition;
pub(crate) mod document;
pub(crate) mod glob;
pub(crate) mod inline;
pub(crate) mod managed;
pub(crate) mod principal;
