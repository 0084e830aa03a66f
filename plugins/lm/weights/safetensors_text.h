#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace stillroom::lm {

/// The JSON of a safetensors header, gone over once. The engine's reader builds a tree of a hundred
/// bytes a value, and a hostile header is a hundred megabytes of "0,0,0". Whatever is wrong throws
/// Error (exit 3) naming the file, the byte and, once it is known, the tensor.
class SafetensorsText {
public:
    SafetensorsText(std::string_view text, std::string_view file) : text_(text), file_(file) {}

    void require_utf8();
    void require_end();

    bool take(char c);  ///< and the blanks before it
    bool take_null();
    void need(char c);
    std::string string(std::string_view wanted);
    std::uint64_t whole_number(std::string_view what);

    /// What follows a '{', with `read` for each value.
    template <class Read>
    void members(Read read) {
        if (take('}'))
            return;
        do {
            std::string key = string("a name in quotes");
            need(':');
            read(std::move(key));
        } while (take(','));
        need('}');
    }

    /// The tensor that is being read; null: none.
    void about(const std::string* tensor) { tensor_ = tensor; }

    [[noreturn]] void refuse(std::string_view why) const;
    [[noreturn]] void refuse_tensor(std::string_view why) const;

private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_blanks();

    std::string_view text_;
    std::string_view file_;
    std::size_t at_ = 0;
    const std::string* tensor_ = nullptr;
};

}  // namespace stillroom::lm
