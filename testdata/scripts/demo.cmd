# The demo: one walk through the scams policy, a look at what the model was asked, a what-if, and a note.
info policy
info sample
step
x top 5
continue
where
compare
next-sample
break * if margin < 0.2
run
info breakpoints
delete
note the demo stopped where the model could not tell
compare
info session
