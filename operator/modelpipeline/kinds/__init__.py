"""One module a kind of object that we own or read: name, build a dict, observe a dict."""
