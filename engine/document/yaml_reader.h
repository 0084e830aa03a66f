#pragma once

#include "engine/document/layout.h"
#include "engine/document/yaml_builder.h"

namespace stillroom::yaml {

/// The grammar: walks the text once, line by line in block style, bracket by bracket in flow style.
/// Whether a scalar is a key shows behind it (a ':' on its line), so nothing is read twice. Calls
/// nest as the collections do, at most as deep as the limits allow.
class Reader {
public:
    Reader(const Source& source,
           const Limits& limits,
           Diagnostics& diagnostics,
           Document& document,
           Layout* layout);

    NodePtr read();

private:
    /// What a value in block style belongs to; it decides what may begin on the same line and
    /// whether a list may stand at its parent's column.
    enum class Parent : std::uint8_t { root, item, value, explicit_part };

    /// Where a value begins, and what stands before it.
    struct Start {
        Parent parent = Parent::root;
        std::size_t begin = 0;      // of the value itself
        std::ptrdiff_t column = 0;  // of the value, or of the anchor or tag on its line
        bool may_nest = false;      // a block map or list may begin here
        Properties outer;           // on lines above
        Properties inner;           // on this line
    };

    bool start_document();
    void end_document(const Node& root);
    void read_package();

    Value block_value(std::ptrdiff_t indent, Parent parent, bool on_new_line = false);
    bool find_value(Start& start, std::ptrdiff_t indent, bool on_new_line);
    Value block_content(Start& start, std::ptrdiff_t indent);
    Value block_list(const Start& start, bool shares_column);
    Value block_map(const Start& start, std::optional<Key> first);
    void explicit_entry(Collection& map, std::ptrdiff_t column);
    Key block_key(std::ptrdiff_t column);
    Scalar quoted(std::ptrdiff_t indent);
    bool at_colon_of_key();
    void check_key(std::size_t begin, std::size_t line);
    bool ends_collection(std::ptrdiff_t column);
    void end_line(const Scalar* scalar);
    void note_lines(std::size_t begin, std::size_t end, std::ptrdiff_t indent);

    Value flow_node(std::ptrdiff_t indent);
    Value flow_collection(std::ptrdiff_t indent, const Properties& properties);
    void flow_map_entry(Collection& map, std::ptrdiff_t indent);
    void flow_list_item(Collection& list, std::ptrdiff_t indent);
    Value flow_value(std::ptrdiff_t indent);
    bool at_flow_colon(bool json_key) const;
    bool at_explicit_flow_key() const;
    void skip_flow_space(std::ptrdiff_t indent);

    [[noreturn]] void refuse_indentation(std::ptrdiff_t column) const;
    [[noreturn]] void refuse_nesting(const Start& start) const;
    [[noreturn]] void refuse_trailing_text(const Scalar* scalar) const;
    [[noreturn]] void refuse_missing_colon(const Scalar& scalar) const;
    [[noreturn]] void refuse_flow_separator(char close) const;
    void refuse_plain_start(bool in_flow) const;

    void mark(std::size_t level, bool indicator) {
        if (layout_)
            layout_->marks.push_back({cursor_.at(), level, indicator});
    }

    Cursor cursor_;
    Builder builder_;
    Document& document_;
    Layout* layout_;                     // null: nobody wants to know
    std::size_t depth_ = 0;              // of open collections
    std::size_t last_end_ = 0;           // behind the last token of content
    std::ptrdiff_t last_column_ = 0;     // of the block collection closed last
    std::vector<std::size_t> brackets_;  // the open ones
    std::size_t node_begin_ = 0;         // of the last flow node
    bool json_key_ = false;              // it may be followed by a ':' without a blank
};

/// As read_yaml, and notes the layout.
Document read(const Source& source, const Limits& limits, Diagnostics& diagnostics, Layout* layout);

}  // namespace stillroom::yaml
