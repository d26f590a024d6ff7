//! classifier-trainer
