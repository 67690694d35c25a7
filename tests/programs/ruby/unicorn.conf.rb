worker_processes 2
preload_app true
timeout 60
listen ENV.fetch("LAB_LISTEN")
