#error "a public header includes libcurl"
