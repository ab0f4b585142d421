#include "cli/line_editor.h"

#include <histedit.h>
#include <signal.h>

#include <clocale>
#include <cstdio>
#include <utility>

namespace bellwether::cli {
namespace {

void IgnoreInterrupt(int) {}

}  // namespace

struct LineEditor::State {
  std::string prompt;
  std::string history_file;
  Completer completer;
  EditLine* editor = nullptr;
  History* history = nullptr;
  bool given_up = false;  // the line that is read, by Ctrl-C

  static State& Of(EditLine* editor) {
    State* state = nullptr;
    el_get(editor, EL_CLIENTDATA, &state);
    return *state;
  }

  static char* Prompt(EditLine* editor) { return Of(editor).prompt.data(); }

  static unsigned char Complete(EditLine* editor, int) {
    const LineInfo* const info = el_line(editor);
    const std::string_view line(info->buffer, info->cursor - info->buffer);
    const Completion completion = Of(editor).completer(line);
    if (completion.choices.empty()) return CC_ERROR;
    if (!completion.more.empty()) {
      el_insertstr(editor, completion.more.c_str());
      return CC_REFRESH;
    }
    std::fputc('\n', stdout);
    for (const std::string& choice : completion.choices) std::printf("%s\n", choice.c_str());
    return CC_REDISPLAY;
  }

  static unsigned char GiveUp(EditLine* editor, int) {
    Of(editor).given_up = true;
    return CC_EOF;
  }
};

LineEditor::LineEditor(std::string prompt, std::string history_file, Completer completer)
    : state_(std::make_unique<State>()) {
  state_->prompt = std::move(prompt);
  state_->history_file = std::move(history_file);
  state_->completer = std::move(completer);
  // Paths are UTF-8 whatever the environment says: in another locale libedit drops what is not ASCII.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  // Ctrl-C gives the line up, not the shell. While a line is read it is a key: as a signal it would be
  // lost between the prompt and the read. Only between two lines it is a signal, and does nothing.
  struct sigaction action = {};
  action.sa_handler = IgnoreInterrupt;
  ::sigaction(SIGINT, &action, nullptr);

  HistEvent event;
  state_->history = history_init();
  history(state_->history, &event, H_SETSIZE, static_cast<int>(kHistoryLinesMax));
  history(state_->history, &event, H_SETUNIQUE, 1);
  if (!state_->history_file.empty()) {
    history(state_->history, &event, H_LOAD, state_->history_file.c_str());
  }
  state_->editor = el_init("bell", stdin, stdout, stderr);
  el_set(state_->editor, EL_CLIENTDATA, state_.get());
  el_set(state_->editor, EL_PROMPT, &State::Prompt);
  el_set(state_->editor, EL_EDITOR, "emacs");
  el_set(state_->editor, EL_HIST, history, state_->history);
  el_set(state_->editor, EL_ADDFN, "bell-complete", "complete the word", &State::Complete);
  el_set(state_->editor, EL_BIND, "^I", "bell-complete", nullptr);
  el_set(state_->editor, EL_ADDFN, "bell-give-up", "give the line up", &State::GiveUp);
  el_set(state_->editor, EL_BIND, "^C", "bell-give-up", nullptr);
  el_set(state_->editor, EL_SETTY, "-d", "-isig", nullptr);
}

LineEditor::~LineEditor() {
  HistEvent event;
  if (!state_->history_file.empty()) {
    history(state_->history, &event, H_SAVE, state_->history_file.c_str());
  }
  el_end(state_->editor);
  history_end(state_->history);
}

std::optional<std::string> LineEditor::Read() {
  int length = 0;
  state_->given_up = false;
  el_set(state_->editor, EL_PREP_TERM, 1);  // before the prompt: keys are for this line from then on
  const char* const text = el_gets(state_->editor, &length);
  if (text == nullptr || length <= 0) {
    std::fputc('\n', stdout);
    return state_->given_up ? std::optional<std::string>("") : std::nullopt;
  }
  std::string line(text, static_cast<size_t>(length));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (!line.empty() && line.find("addauth") == std::string::npos) {  // it has a password
    HistEvent event;
    history(state_->history, &event, H_ENTER, line.c_str());
  }
  return line;
}

}  // namespace bellwether::cli
