"""The shell in which the steps of a runbook run, fenced in three times.

`shell_session` runs one bash for each step. Before it, `allowlist` reads the text; on its PATH
stand copies of `program`, which read the words as the shell has expanded them; around it, `jail`
takes rights away by the kernel. `ingress_tunnel` is the one address that a step may connect to.
"""
