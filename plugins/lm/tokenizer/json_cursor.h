#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// Reads one JSON text from front to back without a tree, for files of a million strings; a small
/// part is taken as raw() and given to Json::parse. What is wrong throws Error (exit 3) with the
/// file's line and column. Every skipped byte has been looked at, but what raw() skips is only
/// balanced, not yet valid.
class JsonCursor {
public:
    /// The text must outlive the cursor and be valid UTF-8. Reading begins at `from`.
    JsonCursor(std::string_view text, std::string file, std::size_t from = 0)
        : text_(text),
          file_(std::move(file)),
          at_(from) {}

    /// Calls on_member(key) for each; it must consume the value. The key is valid until then.
    template <class OnMember>
    void object(OnMember on_member) {
        open('{');
        std::string kept;
        for (bool first = true; !closes('}', first); first = false) {
            std::string_view key = string();
            if (is_decoded(key))
                key = kept.assign(key);
            expect(':');
            on_member(key);
        }
    }
    template <class OnItem>
    void array(OnItem on_item) {
        open('[');
        for (bool first = true; !closes(']', first); first = false)
            on_item();
    }

    std::string_view string();  ///< valid until the next one is read, where it is_decoded()
    std::int64_t integer();
    double number();
    std::string_view raw();  ///< the text of the next value, skipped
    char peek();             ///< the first byte of the next value
    void end();              ///< nothing but blanks may follow

    std::size_t at() const { return at_; }
    /// This string() held escapes; one without them is a part of the text itself.
    bool is_decoded(std::string_view text) const { return text.data() == decoded_.data(); }
    Error error(std::string why) const { return error(at_, std::move(why)); }
    Error error(std::size_t at, std::string why) const;

private:
    void blanks() {
        if (at_ < text_.size() && text_.data()[at_] <= ' ')
            more_blanks();
    }
    void more_blanks();
    void open(char bracket);
    bool closes(char bracket, bool first);
    void expect(char c);
    void escaped();
    std::string_view escaped_string(std::size_t begin);
    unsigned hex();

    std::string_view text_;
    std::string file_;
    std::size_t at_;
    std::string decoded_;
};

}  // namespace stillroom::lm
