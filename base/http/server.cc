#include "base/http/server.h"

#include <utility>

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

constexpr size_t kConnectionsMax = 64;
constexpr size_t kHeadBytesMax = 8192;
constexpr absl::Duration kRequestDeadline = absl::Seconds(5);

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

std::string Serialize(const HttpResponse& response) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      response.status, Reason(response.status), response.content_type, response.body.size(),
      response.body);
}

}  // namespace

// One request being read and answered; shared by the callbacks of its connection.
struct HttpServer::Exchange {
  std::unique_ptr<Connection> connection;
  std::string head;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Open(
    const HostPort& address, std::map<std::string, Handler> routes, Metrics& metrics) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(routes)));  // private constructor
  HttpServer* const raw = server.get();
  Counter& refused = metrics.AddCounter("bell_http_connections_refused_total",
                                        "HTTP connections closed because 64 were open");
  ASSIGN_OR_RETURN(server->listener_,
                   Listener::Open(address, "http", kConnectionsMax, refused,
                                  [raw](std::unique_ptr<Connection> connection) {
                                    raw->Serve(std::move(connection));
                                  }));
  return server;
}

HttpServer::~HttpServer() {
  if (listener_ != nullptr) listener_->Stop();
}

void HttpServer::Serve(std::unique_ptr<Connection> connection) {
  auto exchange = std::make_shared<Exchange>();
  exchange->connection = std::move(connection);
  std::weak_ptr<Exchange> weak = exchange;
  exchange->connection->SetDeadline(kRequestDeadline, [weak] {
    if (auto late = weak.lock()) late->connection->Close();
  });
  ReadHead(std::move(exchange));
}

void HttpServer::ReadHead(std::shared_ptr<Exchange> exchange) {
  Connection& connection = *exchange->connection;
  connection.Read([this, exchange](absl::StatusOr<std::string_view> bytes) {
    if (!bytes.ok()) return;
    exchange->head += *bytes;
    HttpResponse response;
    if (exchange->head.find("\r\n\r\n") != std::string::npos) {
      response = Respond(exchange->head);
    } else if (exchange->head.size() > kHeadBytesMax) {
      response = {.status = 431, .body = "request head too large\n"};
    } else {
      ReadHead(exchange);
      return;
    }
    exchange->connection->Write(Serialize(response),
                                [exchange](absl::Status) { exchange->connection->Close(); });
  });
}

HttpResponse HttpServer::Respond(std::string_view head) const {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t first = line.find(' ');
  const size_t second = line.find(' ', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || !line.substr(second + 1).starts_with("HTTP/1.")) {
    return {.status = 400, .body = "this port speaks HTTP\n"};
  }
  if (line.substr(0, first) != "GET") return {.status = 405, .body = "only GET is served\n"};
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const size_t question = target.find('?');
  const auto route = routes_.find(std::string(target.substr(0, question)));
  if (route == routes_.end()) {
    std::string body = "not found; there are:\n";
    for (const auto& [path, handler] : routes_) body += path + "\n";
    return {.status = 404, .body = body};
  }
  return route->second(question == std::string_view::npos ? "" : target.substr(question + 1));
}

std::map<std::string, HttpServer::Handler> AdminRoutes(
    const Metrics& metrics, std::function<std::vector<HealthCheck>()> checks) {
  const auto readiness = [checks = std::move(checks)](std::string_view query) {
    HttpResponse response;
    for (const HealthCheck& check : checks()) {
      const bool bad = !check.problem.empty();
      if (bad) response.status = 503;
      if (bad || query == "verbose") {
        response.body += fmt::format("[{}] {}{}{}\n", bad ? '-' : '+', check.name,
                                     bad ? ": " : " ok", check.problem);
      }
    }
    response.body += response.status == 200 ? "ready\n" : "not ready\n";
    return response;
  };
  return {{"/metrics",
           [&metrics](std::string_view) {
             return HttpResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                                 .body = metrics.Text()};
           }},
          {"/livez", [](std::string_view) { return HttpResponse{.body = "alive\n"}; }},
          {"/readyz", readiness}};
}

}  // namespace bellwether::base
