#error "a public header includes OpenSSL"
