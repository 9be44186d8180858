# The same Worker in workerd itself, without a bundler or an account; a folder stands for KV:
#   npm install clada workerd && npx clada split -m model.gguf --by bytes --out public && mkdir chats && npx workerd serve config.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "assets", disk = (path = "public")),
    (name = "chats", disk = (path = "chats", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "clada", esModule = embed "node_modules/clada/dist/index.module.js"),
    (name = "errors.js", esModule = embed "node_modules/clada/dist/errors.js"),
    (name = "wasm/base.wasm", wasm = embed "node_modules/clada/dist/wasm/base.wasm"),
    (name = "wasm/relaxed.wasm", wasm = embed "node_modules/clada/dist/wasm/relaxed.wasm"),
  ],
  bindings = [
    (name = "ASSETS", service = "assets"),
    (name = "CHATS", kvNamespace = "chats"),
    (name = "MODEL", text = "model.gguf"),
    (name = "MODEL_PARTS", text = "4"),
  ],
  compatibilityDate = "2026-11-01",
);
