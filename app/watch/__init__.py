"""`tunetrack watch`: a client of the event stream, in a terminal. Knows the service over HTTP alone.

follow.py    the events, over however many connections it takes
picture.py   what is known from the events so far, drawn
terminal.py  the command: reads, draws, ends when what it watches has ended
"""
