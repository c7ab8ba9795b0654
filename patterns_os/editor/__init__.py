"""The compiler in an editor: diagnostics while one types, completion, and going to definitions.

It speaks the Language Server Protocol over standard input and output; any editor that does can start
`patterns lsp`. It runs nothing and connects to nothing.
"""
