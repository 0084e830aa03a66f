#include "engine/base/error.h"

#include "engine/base/text.h"

namespace stillroom {

Error::Error(Position where, std::string message)
    : where_(std::move(where)),
      message_(std::move(message)) {}
Error::~Error() = default;

Error& Error::note(Position where, std::string text) {
    notes_.push_back({std::move(where), std::move(text)});
    return *this;
}

Error& Error::hint(std::string text) {
    hint_ = std::move(text);
    return *this;
}

Error& Error::key(std::string setting) {
    key_ = std::move(setting);
    return *this;
}

Error& Error::exit_code(int code) {
    exit_code_ = code;
    return *this;
}

std::string Error::render() const {
    auto at = [](const Position& position) {
        return position.file.empty() ? std::string() : escape_controls(position.text()) + ": ";
    };
    std::string out = at(where_) + "error: " + escape_controls(message_) + "\n";
    for (const Note& note : notes_)
        out += "note: " + at(note.where) + escape_controls(note.text) + "\n";
    if (!hint_.empty())
        out += "hint: " + escape_controls(hint_) + "\n";
    return out;
}

}  // namespace stillroom
