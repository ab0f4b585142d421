#pragma once

#include <string>

#include "client/coord_types.h"

namespace bellwether::broker {

// One session with coord, as registration, controller and topic admin use it: the seam that tests
// put a model behind. Used on the metadata executor; callbacks run there, never inside the call.
class CoordSession {
 public:
  virtual ~CoordSession() = default;

  virtual client::SessionId id() const = 0;
  virtual void Commit(client::Transaction transaction,
                      client::Callback<client::TransactionResult> done) = 0;
  // Linearizable.
  virtual void Get(std::string path, client::Callback<client::GetResult> done) = 0;
};

}  // namespace bellwether::broker
