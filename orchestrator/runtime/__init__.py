"""Joins the parts; the only place that knows them all."""
