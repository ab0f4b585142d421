#pragma once

#include <asio.hpp>

#include "base/net/event_loop.h"

namespace bellwether::base {

// What an EventLoop's thread waits on. For the sockets of this folder.
struct EventLoop::Reactor {
  asio::io_context context{1};  // one thread runs it
};

}  // namespace bellwether::base
