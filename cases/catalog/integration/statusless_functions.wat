;; Imports the three functions without results as v0.1.0's text has them: returning nothing.
(module
  (import "env" "proxy_continue_request" (func))
  (import "env" "proxy_continue_response" (func))
  (import "env" "proxy_clear_route_cache" (func))
  (memory (export "memory") 1)
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)))
