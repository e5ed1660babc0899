"""What a browser sees at /: a page, a style sheet and ES modules, sent as they lie in static/.

    shell.py    the routes: the page, and its files under a name that changes with their content
    static/     main.js (which view the address asks for), a file per view (and some of its parts), per kind of chart,
                and for what all of them use: api.js, dom.js, figure.js, scale.js, table.js

No framework, no bundler, nothing from elsewhere. All data come from the public API, and text of users goes nowhere but
into text nodes. A chart is a function from data to SVG; `figure.js` draws it at most once per frame, and gives it a
table, downloads, a tooltip and keys.

May import nothing of the service.
"""
