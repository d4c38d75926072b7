"""The built-in hello workload: an HTTP service, a job and a probe, each real wasm32-wasi code built from C."""
