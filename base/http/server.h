#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "base/net/tcp.h"
#include "base/parse.h"

namespace bellwether::base {

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// A small HTTP/1.1 server for operators: GET only, one request per connection. Routes are fixed
// when it opens. Handlers run on the server's thread and must not block.
// Limits: 64 connections (bell_http_connections_refused_total), request heads of 8 KiB, 5 s for a
// request.
class HttpServer {
 public:
  // Gets what follows '?' in the target, or "".
  using Handler = std::function<HttpResponse(std::string_view query)>;

  // `routes` by exact path. The metrics outlive it. Errors: as Listener::Open.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Open(const HostPort& address,
                                                          std::map<std::string, Handler> routes,
                                                          Metrics& metrics);
  ~HttpServer();

  const HostPort& address() const { return listener_->address(); }

 private:
  struct Exchange;

  explicit HttpServer(std::map<std::string, Handler> routes) : routes_(std::move(routes)) {}

  void Serve(std::unique_ptr<Connection> connection);
  void ReadHead(std::shared_ptr<Exchange> exchange);
  HttpResponse Respond(std::string_view head) const;

  const std::map<std::string, Handler> routes_;
  std::unique_ptr<Listener> listener_;
};

// One thing that must hold for a server to be ready, as /readyz?verbose lists it.
struct HealthCheck {
  std::string name;
  std::string problem;  // empty: all is well
};

// The routes every product serves: /metrics, /livez and /readyz[?verbose] (200, or 503 with the
// problems). `checks` is called from the server's thread.
std::map<std::string, HttpServer::Handler> AdminRoutes(
    const Metrics& metrics, std::function<std::vector<HealthCheck>()> checks);

}  // namespace bellwether::base
