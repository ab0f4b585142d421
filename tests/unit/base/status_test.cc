#include "base/status.h"

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) return absl::InvalidArgumentError("odd");
  return number / 2;
}

absl::StatusOr<int> Quarter(int number) {
  ASSIGN_OR_RETURN(const int half, Half(number));
  ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

absl::Status Halve(int& number) {
  RETURN_IF_ERROR(Half(number));
  number /= 2;
  return absl::OkStatus();
}

TEST(Status, ErrorsAreRejectedUnlessSaidOtherwise) {
  EXPECT_EQ(OutcomeOf(absl::UnavailableError("no leader")), Outcome::kRejected);
  EXPECT_EQ(OutcomeOf(UnknownOutcome(absl::StatusCode::kUnavailable, "cut off")),
            Outcome::kUnknown);
}

TEST(Status, ReasonIsForProgramsAndTheMessageForPeople) {
  const absl::Status error =
      ErrorWithReason(absl::StatusCode::kNotFound, "no_node", "no znode /a");
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StdView(error.message()), "no znode /a");
  EXPECT_EQ(ReasonOf(error), "no_node");
  EXPECT_EQ(OutcomeOf(error), Outcome::kRejected);
}

TEST(Status, WithoutAReasonIsLikeAnyOther) {
  EXPECT_EQ(ReasonOf(absl::NotFoundError("no znode /a")), "");
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  EXPECT_EQ(ErrorWithReason(absl::StatusCode::kNotFound, "", "no znode /a"),
            absl::NotFoundError("no znode /a"));
}

TEST(Status, AnnotationKeepsTheReason) {
  const absl::Status error = ErrorWithReason(absl::StatusCode::kNotFound, "no_node", "/a");
  EXPECT_EQ(ReasonOf(Annotate(error, "get")), "no_node");
}

TEST(Status, AnnotationKeepsCodeAndOutcome) {
  const absl::Status annotated = Annotate(
      UnknownOutcome(absl::StatusCode::kDeadlineExceeded, "no answer in 10 s"), "set '/a'");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(StdView(annotated.message()), "set '/a': no answer in 10 s");
  EXPECT_EQ(OutcomeOf(annotated), Outcome::kUnknown);
}

TEST(Status, AssignOrReturnPassesErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Status, ReturnIfErrorTakesStatusOr) {
  int number = 4;
  EXPECT_TRUE(Halve(number).ok());
  EXPECT_EQ(number, 2);
  number = 3;
  EXPECT_EQ(Halve(number).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(number, 3);
}

}  // namespace
}  // namespace bellwether::base
