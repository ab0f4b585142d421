// Who a client of the streams is, and what it is answered.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coord/rpc/session_stream.h"
#include "coord/rpc/watch_stream.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Ignores : public StreamSink {
  void OnOutput() override {}
  void OnResume() override {}
};

v1::Credential CredentialOf(const std::string& scheme, const std::string& text) {
  v1::Credential credential;
  credential.set_scheme(scheme);
  credential.set_credential(text);
  return credential;
}

class Authentication : public ServiceTest {
 protected:
  // A stream whose Attach has these credentials.
  std::unique_ptr<SessionStream> Attach(const std::vector<v1::Credential>& credentials) {
    auto opened = SessionStream::Open(*service_, {"ipv4:10.1.2.3:77"}, std::make_shared<Ignores>());
    EXPECT_TRUE(opened.ok());
    v1::SessionRequest frame;
    frame.mutable_attach()->set_nonce(base::Uuid(1, ++last_nonce_).Bytes());
    for (const v1::Credential& one : credentials) *frame.mutable_attach()->add_credentials() = one;
    (*opened)->Receive(std::move(frame));
    Settle();
    sequence_ = 0;
    return *std::move(opened);
  }
  static std::vector<v1::SessionResponse> Take(SessionStream& stream) {
    std::vector<v1::SessionResponse> frames;
    stream.Take(1 << 20, frames);
    return frames;
  }
  v1::Response Ask(SessionStream& stream, v1::Request request, bool write = false) {
    v1::SessionRequest frame;
    *frame.mutable_request() = std::move(request);
    frame.mutable_request()->set_generation(1);
    if (write) frame.mutable_request()->set_sequence(++sequence_);
    stream.Receive(std::move(frame));
    Settle();
    return Take(stream).at(0).response();
  }
  // "scheme:id" of all that the client is.
  std::vector<std::string> WhoAmI(SessionStream& stream) {
    v1::Request request;
    request.mutable_who_am_i();
    std::vector<std::string> texts;
    const v1::Response response = Ask(stream, request);
    for (const v1::Identity& one : response.who_am_i().identities()) {
      texts.push_back(one.scheme() + ":" + one.id());
    }
    return texts;
  }

  uint64_t last_nonce_ = 0;
  uint64_t sequence_ = 0;  // of the stream attached last
};

TEST_F(Authentication, ComesWithTheAttach) {
  const auto stream = Attach({CredentialOf("digest", "bob:pw"), CredentialOf("digest", "eve:pw")});
  EXPECT_FALSE(Take(*stream).at(0).attached().has_error());
  EXPECT_THAT(WhoAmI(*stream), ElementsAre("ip:10.1.2.3", "digest:bob", "digest:eve"));
}

TEST_F(Authentication, AnAttachWithWhatProvesNothingIsRefused) {
  for (const auto& bad : {CredentialOf("sasl", "secret"), CredentialOf("", "secret"),
                          CredentialOf("digest", std::string(2'000, 'x') + ":secret")}) {
    const auto stream = Attach({CredentialOf("digest", "bob:pw"), bad});
    const auto frames = Take(*stream);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].attached().error().reason(), "auth_failed");
    EXPECT_EQ(frames[0].attached().error().code(),
              static_cast<int>(absl::StatusCode::kUnauthenticated));
    EXPECT_THAT(frames[0].attached().error().message(), Not(HasSubstr("secret")));
  }
  EXPECT_EQ(Take(*Attach(std::vector(65, CredentialOf("digest", "bob:pw")))).at(0)
                .attached().error().reason(),
            "auth_failed");
}

// Z51.
TEST_F(Authentication, OfARequestCountsForLaterOnes) {
  const auto stream = Attach({});
  Take(*stream);
  v1::Request authenticate;
  *authenticate.mutable_authenticate()->mutable_credential() = CredentialOf("digest", "bob:pw");
  EXPECT_FALSE(Ask(*stream, authenticate).has_error());
  EXPECT_THAT(WhoAmI(*stream), ElementsAre("ip:10.1.2.3", "digest:bob"));
  *authenticate.mutable_authenticate()->mutable_credential() = CredentialOf("sasl", "x");
  EXPECT_EQ(Ask(*stream, authenticate).error().reason(), "auth_failed");
  EXPECT_THAT(WhoAmI(*stream), ElementsAre("ip:10.1.2.3", "digest:bob"));
}

TEST_F(Authentication, AclsAreSetReadAndObeyed) {
  const auto bob = Attach({CredentialOf("digest", "bob:pw")});
  Take(*bob);
  v1::Request create;
  create.mutable_create()->set_path("/s");
  v1::AclEntry& entry = *create.mutable_create()->mutable_acl()->add_entries();
  entry.set_permissions(31);
  entry.set_scheme("auth");
  EXPECT_FALSE(Ask(*bob, create, true).has_error());
  v1::Request set;
  set.mutable_set_acl()->set_path("/s");
  set.mutable_set_acl()->set_version(7);
  *set.mutable_set_acl()->mutable_acl() = create.create().acl();
  EXPECT_EQ(Ask(*bob, set, true).error().reason(), "bad_version");
  set.mutable_set_acl()->set_version(0);
  EXPECT_EQ(Ask(*bob, set, true).set_acl().stat().aversion(), 1);
  set.mutable_set_acl()->clear_acl();
  set.mutable_set_acl()->set_version(-1);
  EXPECT_EQ(Ask(*bob, set, true).error().reason(), "invalid_acl");
  v1::Request get;
  get.mutable_get_acl()->set_path("/s");
  const v1::Response got = Ask(*bob, get);
  ASSERT_EQ(got.get_acl().acl().entries_size(), 1);
  EXPECT_EQ(got.get_acl().acl().entries(0).scheme(), "digest");
  EXPECT_THAT(got.get_acl().acl().entries(0).id(), HasSubstr("bob:"));

  const auto stranger = Attach({});
  Take(*stranger);
  EXPECT_EQ(Ask(*stranger, get).error().reason(), "no_auth");
}

TEST_F(Authentication, AWatchHasCredentialsOfItsOwn) {
  const auto bob = Attach({CredentialOf("digest", "bob:pw")});
  Take(*bob);
  v1::Request create;
  create.mutable_create()->set_path("/s");
  v1::AclEntry& entry = *create.mutable_create()->mutable_acl()->add_entries();
  entry.set_permissions(31);
  entry.set_scheme("auth");
  Ask(*bob, create, true);

  const auto state_of = [this](const v1::WatchRequest& request) {
    auto stream = WatchStream::Open(*service_, {"10.9.9.9:1"}, request, std::make_shared<Ignores>());
    EXPECT_TRUE(stream.ok());
    Settle();
    std::vector<v1::WatchResponse> frames;
    (*stream)->Take(1 << 20, frames);
    std::vector<std::string> paths;
    for (const v1::Znode& znode : frames.at(0).state().znodes()) paths.push_back(znode.path());
    return paths;
  };
  v1::WatchRequest request;
  request.set_path("/s");
  EXPECT_THAT(state_of(request), IsEmpty());
  *request.add_credentials() = CredentialOf("digest", "bob:pw");
  EXPECT_THAT(state_of(request), ElementsAre("/s"));
  *request.add_credentials() = CredentialOf("sasl", "x");
  EXPECT_EQ(WatchStream::Open(*service_, {"10.9.9.9:1"}, request, std::make_shared<Ignores>())
                .status()
                .code(),
            absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace bellwether::coord
