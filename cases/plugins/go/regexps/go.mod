module regexps

go 1.24
