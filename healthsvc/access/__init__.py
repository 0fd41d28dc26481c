"""访问控制 who may do what: accounts, sessions, tokens, roles, the doors of the API and the pages, and the audit."""
